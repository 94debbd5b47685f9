#include "engine/ladder.h"

#include <map>
#include <mutex>

namespace mend {
namespace {
std::mutex mutex;
std::map<std::string, std::string, std::less<>>& forced() {
  static std::map<std::string, std::string, std::less<>> rungs;
  return rungs;
}
}  // namespace

void force_variant(const std::string& op, const std::string& rung) {
  const std::lock_guard lock(mutex);
  forced()[op] = rung;
}

void clear_forced_variants() {
  const std::lock_guard lock(mutex);
  forced().clear();
}

std::string forced_variant(std::string_view op) {
  const std::lock_guard lock(mutex);
  const auto found = forced().find(op);
  return found == forced().end() ? std::string() : found->second;
}

}  // namespace mend
