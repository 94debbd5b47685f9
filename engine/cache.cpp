#include "engine/cache.h"

#include <unistd.h>

#include <algorithm>

namespace mend {

std::int64_t l2_cache_bytes() {
  static const std::int64_t bytes = [] {
    std::int64_t told = 0;
#ifdef _SC_LEVEL2_CACHE_SIZE
    told = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    constexpr std::int64_t kUsual = 1 << 20, kLeast = 256 << 10, kMost = 4 << 20;
    return told > 0 ? std::clamp(told, kLeast, kMost) : kUsual;
  }();
  return bytes;
}

}  // namespace mend
