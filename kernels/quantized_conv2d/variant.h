// What a rung of the quantized_conv2d ladder is.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/conv2d/variant.h"
#include "kernels/quantized_conv2d/quantized_conv2d.h"

namespace mend {

/// One call of a rung; op::QuantizedConv2d says what the letters mean. Absent operands have no data.
struct QuantizedConv2dCall {
  const op::QuantizedConv2d& op;
  View<const std::int8_t> x;
  View<const float> weight;        ///< [K,R,S,C], for rungs that take it so
  View<const std::int8_t> packed;  ///< what the rung's pack left
  View<const float> bias, slope, residual, code_x, code_y;
  View<std::int8_t> y_i8;  ///< one of the two is there
  View<float> y_f32;
  Scratch scratch;

  const Shape& y_shape() const { return y_i8 ? y_i8.shape : y_f32.shape; }
};

struct QuantizedConv2dKernel {
  /// How the rung wants the weight, and what makes it so; null: it takes [K,R,S,C].
  std::int64_t (*packed_bytes)(const op::QuantizedConv2d& op, const Shape& weight) = nullptr;
  void (*pack)(const op::QuantizedConv2d& op, View<const float> weight, View<const float> code_x,
               View<std::int8_t> packed) = nullptr;
  /// Working memory of one run; null: none. Grows with threads().
  std::int64_t (*scratch_bytes)(const op::QuantizedConv2d& op, const Shapes& in) = nullptr;
  void (*run)(const QuantizedConv2dCall& call) = nullptr;
  /// Outputs are computed in squares of tile x tile.
  int tile = 1;
};

// The rungs; ladder.cpp lists them.

void quantized_conv2d_reference(const QuantizedConv2dCall& call);

std::string quantized_conv2d_winograd4_refuses(const op::QuantizedConv2d& op, const Shapes& in);
double quantized_conv2d_winograd4_seconds(const op::QuantizedConv2d& op, const Shapes& in);
std::int64_t quantized_conv2d_winograd4_packed_bytes(const op::QuantizedConv2d& op,
                                                     const Shape& weight);
void quantized_conv2d_winograd4_pack(const op::QuantizedConv2d& op, View<const float> weight,
                                     View<const float> code_x, View<std::int8_t> packed);
std::int64_t quantized_conv2d_winograd4_scratch_bytes(const op::QuantizedConv2d& op,
                                                      const Shapes& in);
void quantized_conv2d_winograd4(const QuantizedConv2dCall& call);

std::string quantized_conv2d_winograd6_refuses(const op::QuantizedConv2d& op, const Shapes& in);
double quantized_conv2d_winograd6_seconds(const op::QuantizedConv2d& op, const Shapes& in);
std::int64_t quantized_conv2d_winograd6_packed_bytes(const op::QuantizedConv2d& op,
                                                     const Shape& weight);
void quantized_conv2d_winograd6_pack(const op::QuantizedConv2d& op, View<const float> weight,
                                     View<const float> code_x, View<std::int8_t> packed);
std::int64_t quantized_conv2d_winograd6_scratch_bytes(const op::QuantizedConv2d& op,
                                                      const Shapes& in);
void quantized_conv2d_winograd6(const QuantizedConv2dCall& call);

// On a GPU; only in a build with CUDA. kernels/quantized_conv2d/cuda_rungs.cpp. Weights are packed on the CPU.

double quantized_conv2d_cuda_naive_seconds(const op::QuantizedConv2d& op, const Shapes& in);
void quantized_conv2d_cuda_naive(const QuantizedConv2dCall& call);

std::string quantized_conv2d_cuda_int8_refuses(const op::QuantizedConv2d& op, const Shapes& in);
double quantized_conv2d_cuda_int8_seconds(const op::QuantizedConv2d& op, const Shapes& in);
std::int64_t quantized_conv2d_cuda_int8_packed_bytes(const op::QuantizedConv2d& op,
                                                     const Shape& weight);
void quantized_conv2d_cuda_int8_pack(const op::QuantizedConv2d& op, View<const float> weight,
                                     View<const float> code_x, View<std::int8_t> packed);
void quantized_conv2d_cuda_int8(const QuantizedConv2dCall& call);

}  // namespace mend
