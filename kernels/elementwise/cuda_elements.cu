// Arithmetic element by element, at the speed of memory.
#include <math_constants.h>

#include "kernels/cuda/each_element.cuh"
#include "kernels/elementwise/cuda.h"

namespace mend {
namespace {

/// Of x.
struct AffineOf {
  CudaAffine affine;
  __device__ float operator()(const float (&in)[1]) const {
    const float value = fmaf(affine.scale, in[0], affine.offset);
    // In this order a NaN fails both comparisons and stays.
    return value < affine.low ? affine.low : value > affine.high ? affine.high : value;
  }
};

/// Of x and dy.
struct AffineGradientOf {
  CudaAffine affine;
  __device__ float operator()(const float (&in)[2]) const {
    const float value = fmaf(affine.scale, in[0], affine.offset);
    return value >= affine.low && value <= affine.high ? affine.scale * in[1] : 0.0f;
  }
};

/// Of x and z.
struct BinaryOf {
  BinaryKind kind;
  __device__ float operator()(const float (&in)[2]) const {
    const float x = in[0], z = in[1];
    switch (kind) {
      case BinaryKind::kAdd:
        return x + z;
      case BinaryKind::kSubtract:
        return x - z;
      case BinaryKind::kMultiply:
        return x * z;
      case BinaryKind::kDivide:
        return x / z;
      case BinaryKind::kMinimum:
        return isnan(x) || x < z ? x : z;
      case BinaryKind::kMaximum:
        return isnan(x) || x > z ? x : z;
      case BinaryKind::kPower:
        return x < 0 ? CUDART_NAN_F : powf(x, z);
    }
    return 0;
  }
};

/// Of x, z and dy.
struct ExtremumGradientOf {
  bool maximum;
  __device__ float operator()(const float (&in)[3]) const {
    const float x = in[0], z = in[1];
    const bool wins = maximum ? x > z : x < z;
    return (wins ? 1.0f : x == z ? 0.5f : 0.0f) * in[2];
  }
};

}  // namespace

template <class T>
void launch_affine(const CudaAffine& affine, View<const T> x, View<T> y) {
  launch_each_element("affine/cuda", {x}, y, AffineOf{affine});
}
template void launch_affine(const CudaAffine&, View<const float>, View<float>);
template void launch_affine(const CudaAffine&, View<const Half>, View<Half>);
template void launch_affine(const CudaAffine&, View<const BFloat16>, View<BFloat16>);

void launch_affine_gradient(const CudaAffine& affine, View<const float> x, View<const float> dy,
                            View<float> y) {
  launch_each_element("affine_gradient/cuda", {x, dy}, y, AffineGradientOf{affine});
}

template <class T>
void launch_binary(BinaryKind kind, View<const T> x, View<const T> z, View<T> y) {
  launch_each_element("binary/cuda", {x, z}, y, BinaryOf{kind});
}
template void launch_binary(BinaryKind, View<const float>, View<const float>, View<float>);
template void launch_binary(BinaryKind, View<const Half>, View<const Half>, View<Half>);
template void launch_binary(BinaryKind, View<const BFloat16>, View<const BFloat16>, View<BFloat16>);

void launch_extremum_gradient(bool maximum, View<const float> x, View<const float> z,
                              View<const float> dy, View<float> y) {
  launch_each_element("extremum_gradient/cuda", {x, z, dy}, y, ExtremumGradientOf{maximum});
}

}  // namespace mend
