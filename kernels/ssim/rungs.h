// The rungs on the CPU; see SsimKernel.
#pragma once

#include "engine/op.h"
#include "kernels/ssim/taps.h"

namespace mend {

void ssim_loss_planes(const SsimTaps& taps, View<const float> x, View<const float> target,
                      View<float> y, Scratch scratch);
void ssim_loss_gradient_planes(const SsimTaps& taps, View<const float> x, View<const float> target,
                               View<float> y, Scratch scratch);

}  // namespace mend
