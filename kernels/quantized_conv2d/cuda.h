// What the CUDA rungs of quantized_conv2d share: one call, and how the weight is packed. op::QuantizedConv2d says what
// the letters mean. Device code includes this; op::QuantizedConv2d itself stays on the host (cuda_rungs.cpp).
#pragma once

#include <cstdint>

#include "engine/quantization.h"
#include "kernels/conv2d/cuda.h"

namespace mend {

/// One launch. All tensors lie on the GPU; absent ones have no data.
struct CudaQuantizedConv2dCall {
  CudaConv2dParameters parameters;
  View<const std::int8_t> x;
  View<const float> weight;   ///< [K,R,S,C/groups], for cuda_naive
  const std::int8_t* packed;  ///< CudaInt8Weight, for cuda_int8
  View<const float> bias, slope, residual, code_x, code_y;
  View<std::int8_t> y_i8;  ///< one of the two is there
  View<float> y_f32;
  cudaStream_t stream;

  const Shape& y_shape() const { return y_i8 ? y_i8.shape : y_f32.shape; }
};

/// A packed weight [K,R,S,C]: the products scale_x[c] · weight[k,r,s,c] as whole numbers of 16 bits, 256 · high + low,
/// of steps of an output's own size, and what goes with them. All parts begin at multiples of 16 bytes:
///
///   rows x 2 x depth   8 bits, high and then low, each [R,S,C rounded up to 16] with zeros behind K, C and S; where y
///                      has 8 bits the rows are dealt out as those of cuda_f16_gemm (cuda.h of conv2d)
///   K f32              the steps
///   K int32            for each output the sum of its weights times the zero points of their channels
///   width              8 bits, the zero points: a pixel of padding
struct CudaInt8Weight {
  int outputs, taps, channels;

  static constexpr std::int64_t whole(std::int64_t bytes) { return (bytes + 15) / 16 * 16; }
  int rows() const { return (outputs + 15) / 16 * 16; }
  int width() const { return static_cast<int>(whole(channels)); }
  int items() const { return (taps * width() + gemm_depth(1) - 1) / gemm_depth(1); }
  int depth() const { return items() * gemm_depth(1); }  ///< whole items
  std::int64_t steps_at() const { return std::int64_t{rows()} * 2 * depth(); }
  std::int64_t zero_sums_at() const { return steps_at() + whole(4 * outputs); }
  std::int64_t zero_points_at() const { return zero_sums_at() + whole(4 * outputs); }
  std::int64_t bytes() const { return zero_points_at() + width(); }
};

/// One output a thread; every case.
void launch_quantized_conv2d_naive(const CudaQuantizedConv2dCall& call);

/// The product of 8-bit integers that cuda_int8 is. One group.
inline GemmProblem quantized_conv2d_problem(const CudaInt8Weight& weight, const Shape& y) {
  return {std::int64_t{y.n} * y.h * y.w, y.c, 2 * weight.items()};
}
void launch_quantized_conv2d_int8(const CudaQuantizedConv2dCall& call);

}  // namespace mend
