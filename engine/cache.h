// How much of its working set a kernel may expect to find close by. For sizes of blocks, never for
// results.
#pragma once

#include <cstdint>

namespace mend {

/// Bytes of one core's second-level cache; 1 MB where the system does not tell.
std::int64_t l2_cache_bytes();

}  // namespace mend
