// Products of f32 numbers on tensor cores, rounded to TF32 or split into two numbers that TF32 has.
//
// x = high + low with 10 bits each behind the point leaves 2^-22 of x, and high·high + high·low + low·high all
// but 2^-22 of a product: three mma for f32's accuracy.
#pragma once

#include "kernels/cuda/tensor_core.cuh"

namespace mend {

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

/// A number as the tensor cores take it: itself, or the nearest of TF32 and what is left.
template <bool kSplit>
struct Factor;
template <>
struct Factor<false> {
  __device__ explicit Factor(float rounded) : high(rounded) {}
  float high;
};
template <>
struct Factor<true> {
  __device__ explicit Factor(float value)
      : high(rounded_to_tf32(value)), low(rounded_to_tf32(value - high)) {}
  float high, low;
};

/// Four numbers of a lane, as Factor has them.
template <bool kSplit>
struct Factors {
  __device__ explicit Factors(const float (&values)[4]) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const Factor<kSplit> factor(values[i]);
      high[i] = factor.high;
      if constexpr (kSplit) low[i] = factor.low;
    }
  }
  float high[4], low[kSplit ? 4 : 1];
};

/// sum += a · b; split into halves, without the product of the low ones.
template <bool kSplit>
__device__ void add_product(float (&sum)[4], const Factors<kSplit>& a, float b_low, float b_high) {
  const Factor<kSplit> first(b_low), second(b_high);
  if constexpr (kSplit) {
    multiply_add_tf32(sum, a.low, first.high, second.high);
    multiply_add_tf32(sum, a.high, first.low, second.low);
  }
  multiply_add_tf32(sum, a.high, first.high, second.high);
}

#endif  // from compute capability 8.0 on

}  // namespace mend
