// mend pull: fetches published checkpoints.
#include "weights/pull.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "apps/program.h"
#include "apps/progress.h"

namespace mend {
namespace {

ExitCode pull_all(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    Progress progress(name);
    PullOptions options;
    options.progress = [&](const std::string&, std::int64_t done, std::int64_t total) {
      constexpr std::int64_t kSteps = 1000;
      if (total > 0) progress.update(static_cast<int>(done * kSteps / total), kSteps);
    };
    std::puts(pull(name, options).c_str());
  }
  return ExitCode::kDone;
}

}  // namespace

void add_pull(Program& program) {
  const auto names = std::make_shared<std::vector<std::string>>();
  CLI::App* command =
      program.add("pull", "Fetch published checkpoints and print where they are",
                  "  mend pull RealESRGAN_x4plus\n"
                  "  mend upscale photo.jpg -w RealESRGAN_x4plus -o large.png\n"
                  "Files are kept below $XDG_CACHE_HOME/mend, resumed and checked.\n",
                  [names] { return pull_all(*names); });
  command->add_option("name", *names, "As listed by `mend models`")->required()->type_name("NAME");
}

}  // namespace mend
