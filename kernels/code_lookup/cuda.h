// The entry points of the code look-up's CUDA kernels; they launch on the current GPU.
#pragma once

#include "engine/tensor.h"

namespace mend {

/// A pixel a thread.
void code_lookup_cuda_naive(View<const float> logits, View<const float> codes, View<float> y);
/// A pixel a warp.
void code_lookup_cuda_warp(View<const float> logits, View<const float> codes, View<float> y);

/// op::CodeLookupGradient.
void code_lookup_gradient_cuda(View<const float> logits, View<const float> dy, View<float> y);

}  // namespace mend
