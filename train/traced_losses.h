// The losses that are more than a sum over single numbers, as operations: so they run on any device, in a plan
// too, and their gradient is a tape's.
//
// Shapes, formulas and errors are those of losses.h, whose functions compute the same in double, at once, on
// the CPU. Each gives L, f32 [1,1,1,1]; L is computed in f32, but sums are double.
#pragma once

#include "engine/tensor.h"

namespace mend {

Tensor traced_psnr(const Tensor& x, const Tensor& target);
Tensor traced_fft_l1(const Tensor& x, const Tensor& target);
/// In double up to L itself.
Tensor traced_ssim(const Tensor& x, const Tensor& target);
Tensor traced_total_variation(const Tensor& x);
Tensor traced_spatial_consistency(const Tensor& x, const Tensor& input, int region);
Tensor traced_exposure(const Tensor& x, double level, int region);
Tensor traced_colour_constancy(const Tensor& x);
Tensor traced_illumination_smoothness(const Tensor& maps);
/// known_l1_loss of train/single_picture.h.
Tensor traced_known_l1(const Tensor& x, const Tensor& target);

}  // namespace mend
