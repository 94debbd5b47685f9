// The rungs on the GPU; see ActivationKernel and ActivationGradientKernel.
#pragma once

#include "engine/tensor.h"
#include "kernels/activation/kind.h"

namespace mend {

void activation_cuda(const Activation& activation, View<const float> x, View<const float> slope,
                     View<float> y);
void activation_gradient_cuda(const Activation& activation, View<const float> seen,
                              View<const float> dy, View<const float> slope, View<float> y);

}  // namespace mend
