// The rungs of the ladders of the losses' values and gradients.
#pragma once

#include "kernels/pixel_loss/pixel_loss.h"

namespace mend {

void pixel_loss_value_rows(const PixelLoss& loss, View<const float> x, View<const float> target,
                           View<float> y);
void pixel_loss_gradient_rows(const PixelLoss& loss, View<const float> x, View<const float> target,
                              View<float> y);

}  // namespace mend
