// From a tensor's type to the C++ type of its numbers.
#pragma once

#include "engine/tensor.h"

namespace mend {

/// Calls run.operator()<Half>() or run.operator()<BFloat16>().
template <class Run>
void with_narrow_type(DType type, const Run& run) {
  if (type == DType::kF16) return run.template operator()<Half>();
  run.template operator()<BFloat16>();
}

/// The same, and run.operator()<float>() for f32.
template <class Run>
void with_type(DType type, const Run& run) {
  if (type == DType::kF32) return run.template operator()<float>();
  with_narrow_type(type, run);
}

/// A tensor of f16 or bf16 for kernels that move its numbers and do not look at them.
inline View<Half> as_16_bits(const Tensor& tensor) {
  if (tensor.dtype() == DType::kF16) return tensor.view<Half>();
  const View<BFloat16> view = tensor.view<BFloat16>();
  return {reinterpret_cast<Half*>(view.data), view.shape, view.n_stride, view.h_stride,
          view.w_stride};
}

}  // namespace mend
