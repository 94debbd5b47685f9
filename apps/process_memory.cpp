#include "apps/process_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace mend {

std::int64_t resident_bytes() {
  std::int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

std::int64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

std::int64_t predicted_peak_bytes(const Plan& plan) {
  std::int64_t repacked = 0;
  for (const Value& value : plan.graph().values) {
    const bool will_be_computed = value.is_constant && !value.constant;
    if (will_be_computed) repacked += value.bytes();
  }
  const Shapes in = plan.graph().shapes(plan.graph().inputs);
  const Shapes out = plan.graph().shapes(plan.graph().outputs);
  const std::int64_t pictures = 3 * (in[0].pixels() + out[0].pixels());
  const std::int64_t running = resident_bytes() + repacked + plan.arena_bytes() + pictures;
  return std::max(peak_resident_bytes(), running);
}

}  // namespace mend
