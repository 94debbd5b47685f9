// op::SumTo; how it sums is in kernels/cuda/sum.cuh.
#include "kernels/cuda/sum.cuh"
#include "kernels/elementwise/cuda.h"

namespace mend {
namespace {

/// Of x; without z, all are 1, whose negative part is 0.
struct Scaled {
  float factor;
  __device__ float operator()(const float (&in)[1]) const { return factor * in[0]; }
};
/// Of x and z; a NaN stays one.
struct Product {
  bool negative_part;
  __device__ float operator()(const float (&in)[2]) const {
    return in[0] * (negative_part && in[1] > 0 ? 0.0f : in[1]);
  }
};

}  // namespace

template <class T>
void launch_sum_to(bool negative_part, View<const T> x, View<const T> z, View<float> y) {
  constexpr auto kName = "sum_to/cuda";
  if (z) return launch_sum<T>(kName, {x, z}, y, 1, Product{negative_part});
  launch_sum<T>(kName, {x}, y, 1, Scaled{negative_part ? 0.0f : 1.0f});
}
template void launch_sum_to(bool, View<const float>, View<const float>, View<float>);
template void launch_sum_to(bool, View<const Half>, View<const Half>, View<float>);
template void launch_sum_to(bool, View<const BFloat16>, View<const BFloat16>, View<float>);

}  // namespace mend
