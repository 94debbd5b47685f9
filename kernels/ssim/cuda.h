// The rungs on a GPU.
#pragma once

#include "engine/tensor.h"
#include "kernels/ssim/taps.h"

namespace mend {

void ssim_loss_cuda(const SsimTaps& taps, View<const float> x, View<const float> target,
                    View<float> y);
void ssim_loss_gradient_cuda(const SsimTaps& taps, View<const float> x, View<const float> target,
                             View<float> y);

}  // namespace mend
