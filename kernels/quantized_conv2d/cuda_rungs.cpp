// The host's side of the CUDA rungs: what they refuse, their modelled time, how the weight is packed, and from a call to
// a launch.
#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/cuda/cuda_device.h"
#include "kernels/conv2d/cuda_call.h"
#include "kernels/cuda/machine.h"
#include "kernels/cuda/refuses.h"
#include "kernels/quantized_conv2d/cuda.h"
#include "kernels/quantized_conv2d/variant.h"

namespace mend {
namespace {

using Op = op::QuantizedConv2d;

CudaQuantizedConv2dCall call_of(const QuantizedConv2dCall& call) {
  return {cuda_parameters_of(call.op.conv, call.slope.shape),
          call.x,
          call.weight,
          call.packed.data,
          call.bias,
          call.slope,
          call.residual,
          call.code_x,
          call.code_y,
          call.y_i8,
          call.y_f32,
          current_cuda_device().stream()};
}

CudaInt8Weight layout_of(const Op& op, int channels) {
  return {op.conv.outputs, op.conv.kernel_h * op.conv.kernel_w, channels};
}

/// Where output k of a packed weight lies: its row.
int row_of(int k, bool is_dealt) {
  if (!is_dealt) return k;
  const int within = k % 16;  // dealt_column() of gemm.cuh, the other way
  return k / 16 * 16 + within % 2 + within / 2 % 2 * 8 + within / 4 * 2;
}

/// The largest whole number that 256 · high + low reaches both ways, and what the numbers of an output may add up to, so
/// that their sums with codes and zero points fit 32 bits: 2^31 / 255, and room for rounding.
constexpr double kMostWhole = 32639, kMostTotal = 8.4e6;

/// One output of the weight, `numbers` [R,S,C] with the scales of x in them, as whole numbers of steps.
void pack_output(const CudaInt8Weight& layout, const std::vector<double>& numbers,
                 const Quantization& code, int k, int row, std::int8_t* packed) {
  double most = 0, total = 0;
  for (const double number : numbers) {
    most = std::max(most, std::abs(number));
    total += std::abs(number);
  }
  const double step = most > 0 ? std::max(most / kMostWhole, total / kMostTotal) : 1;
  std::int8_t* const high = packed + std::int64_t{row} * 2 * layout.depth();
  std::int8_t* const low = high + layout.depth();
  std::uint32_t zero_sum = 0;  // modulo 2^32, as the sums that it is taken from
  for (int tap = 0; tap < layout.taps; ++tap) {
    for (int c = 0; c < layout.channels; ++c) {
      const double number = numbers[static_cast<std::size_t>(tap * layout.channels + c)];
      const int whole = static_cast<int>(std::nearbyint(number / step));
      const int upper = (whole + 128) >> 8, at = tap * layout.width() + c;
      high[at] = static_cast<std::int8_t>(upper);
      low[at] = static_cast<std::int8_t>(whole - 256 * upper);
      zero_sum += static_cast<std::uint32_t>(whole * static_cast<int>(code.zero[c]));
    }
  }
  reinterpret_cast<float*>(packed + layout.steps_at())[k] = static_cast<float>(step);
  reinterpret_cast<std::uint32_t*>(packed + layout.zero_sums_at())[k] = zero_sum;
}

}  // namespace

double quantized_conv2d_cuda_naive_seconds(const Op& op, const Shapes& in) {
  return op.cost(in).flops / 2 * (1 + 4) / NominalGpu::kCachedBytesPerSecond;  // two loads an FMA
}

void quantized_conv2d_cuda_naive(const QuantizedConv2dCall& call) {
  launch_quantized_conv2d_naive(call_of(call));
}

std::string quantized_conv2d_cuda_int8_refuses(const Op& op, const Shapes&) {
  if (op.conv.groups != 1) return "needs one group";
  return refuses_before_ampere();
}

double quantized_conv2d_cuda_int8_seconds(const Op& op, const Shapes& in) {
  const GemmProblem problem = quantized_conv2d_problem(layout_of(op, in[Op::kX].c), op.shape(in));
  return std::max(gemm_plan(problem).seconds, op.cost(in).bytes / NominalGpu::kBytesPerSecond);
}

std::int64_t quantized_conv2d_cuda_int8_packed_bytes(const Op& op, const Shape& weight) {
  return layout_of(op, weight.c).bytes();
}

void quantized_conv2d_cuda_int8_pack(const Op& op, View<const float> weight,
                                     View<const float> code_x, View<std::int8_t> packed) {
  const CudaInt8Weight layout = layout_of(op, weight.shape.c);
  const Quantization code = quantization(code_x);
  std::fill_n(packed.data, layout.bytes(), std::int8_t{0});
  std::vector<double> numbers(static_cast<std::size_t>(layout.taps * layout.channels));
  for (int k = 0; k < layout.outputs; ++k) {
    std::size_t i = 0;
    for (int r = 0; r < weight.shape.h; ++r)
      for (int s = 0; s < weight.shape.w; ++s)
        for (int c = 0; c < layout.channels; ++c) {
          numbers[i++] = double{code.scale[c]} * double{weight(k, r, s, c)};
        }
    pack_output(layout, numbers, code, k, row_of(k, op.quantizes_output), packed.data);
  }
  for (int c = 0; c < layout.channels; ++c) {
    packed.data[layout.zero_points_at() + c] = static_cast<std::int8_t>(code.zero[c]);
  }
}

void quantized_conv2d_cuda_int8(const QuantizedConv2dCall& call) {
  launch_quantized_conv2d_int8(call_of(call));
}

}  // namespace mend
