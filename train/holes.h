// Holes for networks that learn to fill them.
#pragma once

#include "train/degradation.h"

namespace mend {

/// A mask f32 [1,height,width,1]: 1 in holes, else 0. The hole is what the steps change in a white picture:
/// whatever leaves marks on pictures draws masks too. Throws UsageError if the steps end at another size.
Tensor draw_mask(const Degradation& steps, int height, int width, RandomStream& random);

}  // namespace mend
