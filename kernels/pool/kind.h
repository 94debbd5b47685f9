// What a pooling makes of a window; device code includes this alone.
#pragma once

namespace mend {

enum class PoolKind { kMax, kAverage };

}  // namespace mend
