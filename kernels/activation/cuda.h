// The rungs on the GPU; see ActivationKernel and ActivationGradientKernel.
#pragma once

#include "engine/tensor.h"
#include "kernels/activation/kind.h"

namespace mend {

/// Of f32, Half or BFloat16; without a slope, an empty view.
template <class T>
void launch_activation(const Activation& activation, View<const T> x, View<const T> slope,
                       View<T> y);
void activation_cuda(const Activation& activation, View<const float> x, View<const float> slope,
                     View<float> y);
template <class T>
void launch_activation_gradient(const Activation& activation, View<const T> seen, View<const T> dy,
                                View<const T> slope, View<T> y);
void activation_gradient_cuda(const Activation& activation, View<const float> seen,
                              View<const float> dy, View<const float> slope, View<float> y);

}  // namespace mend
