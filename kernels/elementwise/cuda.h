// What the CUDA rungs of this room launch on the current device; the operations' headers have the formulas.
#pragma once

#include "engine/tensor.h"
#include "kernels/elementwise/kind.h"

namespace mend {

/// op::Affine's numbers, and op::AffineGradient's.
struct CudaAffine {
  float scale, offset, low, high;
};

// T: float, Half or BFloat16.
template <class T>
void launch_affine(const CudaAffine& affine, View<const T> x, View<T> y);
template <class T>
void launch_binary(BinaryKind kind, View<const T> x, View<const T> z, View<T> y);

void launch_affine_gradient(const CudaAffine& affine, View<const float> x, View<const float> dy,
                            View<float> y);
void launch_extremum_gradient(bool maximum, View<const float> x, View<const float> z,
                              View<const float> dy, View<float> y);
/// z: like x, or no view.
template <class T>
void launch_sum_to(bool negative_part, View<const T> x, View<const T> z, View<float> y);

}  // namespace mend
