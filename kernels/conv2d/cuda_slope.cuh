// Which activations an epilogue on the GPU can apply to sums in registers.
#pragma once

#include "kernels/activation/activation.cuh"

namespace mend {

/// The activations that are a slope on one side; the long formulas want one copy, in a loop.
__device__ inline bool is_a_slope(ActivationKind kind) {
  return kind == ActivationKind::kNone || kind == ActivationKind::kRelu ||
         kind == ActivationKind::kLeakyRelu || kind == ActivationKind::kPrelu;
}

}  // namespace mend
