#include "apps/replicated.h"

#include <fmt/format.h>

#include "engine/log.h"

namespace mend {

ExitCode run_replicated(const std::function<ExitCode(const std::shared_ptr<Replicas>&)>& work) {
  const std::shared_ptr<Replicas> replicas = launched_replicas();
  if (replicas->size() == 1) return work(replicas);
  const auto end = [&](ExitCode code, const std::string& message) {
    if (!message.empty()) report_error(fmt::format("rank {}: {}", replicas->rank(), message));
    if (!replicas->parted()) replicas->abort(code);  // the others wait for this one
    return code;
  };
  try {
    return work(replicas);
  } catch (const StoppedElsewhere& stopped) {
    return end(stopped.exit_code(), "");
  } catch (const Interrupted& interrupted) {
    return end(interrupted.exit_code(), replicas->leads() ? interrupted.what() : "");
  } catch (const Error& error) {
    return end(error.exit_code(), error.what());
  } catch (const std::exception& error) {
    return end(ExitCode::kSomeFailed, error.what());
  }
}

}  // namespace mend
