// A first guess of pixels that are not known.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor.h"

namespace mend {

/// Fills the pixels of f32 [1,H,W,C] whose `known` (H·W numbers) is 0 with what is around them, in
/// place: smooth, and good enough for a network to start from.
///
/// Push-pull (Gortler et al. 1996, The Lumigraph, section 4.3): known pixels are averaged by 2 x 2 until
/// something is known everywhere, and on the way back each pixel that is not known takes the bilinear
/// value of the coarser picture. All 0 if nothing is known.
void push_pull(const Tensor& picture, const std::vector<std::uint8_t>& known);

}  // namespace mend
