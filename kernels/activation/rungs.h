// The rungs of the activation ladder; see ActivationKernel.
#pragma once

#include "kernels/activation/activation.h"

namespace mend {

void activation_reference(const Activation&, View<const float> x, View<const float> slope,
                          View<float> y);
void activation_simd(const Activation&, View<const float> x, View<const float> slope,
                     View<float> y);

/// On a GPU, of f16 or bf16.
void activation_cuda_narrow(const op::Activate& op, Inputs inputs, const Tensor& y);

}  // namespace mend
