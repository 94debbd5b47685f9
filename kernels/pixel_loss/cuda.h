// The rungs on the GPU; see PixelLossKernel.
#pragma once

#include "engine/tensor.h"
#include "kernels/pixel_loss/kind.h"

namespace mend {

void pixel_loss_value_cuda(const PixelLoss& loss, View<const float> x, View<const float> target,
                           View<float> y);
void pixel_loss_gradient_cuda(const PixelLoss& loss, View<const float> x, View<const float> target,
                              View<float> y);

}  // namespace mend
