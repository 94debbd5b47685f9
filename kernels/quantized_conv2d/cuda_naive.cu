// Convolution of 8-bit integers, one output a thread: the formula as it stands, with f32 weights and sums.
//
// What limits it: as conv2d/cuda_naive, and each number of x is made an f32 for every output that reads it.
#include "engine/cuda/check.h"
#include "kernels/activation/activation.cuh"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/element_place.cuh"
#include "kernels/quantize/cuda_code.cuh"
#include "kernels/quantized_conv2d/cuda.h"

namespace mend {
namespace {

constexpr int kThreads = 256;

__device__ float sum_at(const CudaQuantizedConv2dCall& call, int n, int p, int q, int k) {
  const CudaConv2dParameters& op = call.parameters;
  const View<const float>& weight = call.weight;
  const float *scale = call.code_x.data, *zero = scale + call.code_x.w_stride;
  const int first = k / (weight.shape.n / op.groups) * weight.shape.c;
  float z = call.bias.data != nullptr ? call.bias.data[k] : 0;
  for (int r = 0; r < op.kernel_h; ++r)
    for (int s = 0; s < op.kernel_w; ++s) {
      const int h = source_index(p * op.stride + r * op.dilation - op.padding_h, call.x.shape.h,
                                 op.padding_mode);
      const int w = source_index(q * op.stride + s * op.dilation - op.padding_w, call.x.shape.w,
                                 op.padding_mode);
      if (h < 0 || w < 0) continue;  // zero padding
      const std::int8_t* from = pixel_of(call.x, n, h, w) + first;
      const float* tap = pixel_of(weight, k, r, s);
      for (int c = 0; c < weight.shape.c; ++c) {
        const int channel = first + c;
        z = fmaf(scale[channel] * (static_cast<float>(from[c]) - zero[channel]), tap[c], z);
      }
    }
  return z;
}

__global__ void __launch_bounds__(kThreads)
    naive(const __grid_constant__ CudaQuantizedConv2dCall call, Shape y) {
  const std::int64_t output = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (output >= std::int64_t{y.n} * y.h * y.w * y.c) return;
  const auto [n, p, q, k] = element_place(output, y);

  const CudaConv2dParameters& op = call.parameters;
  const float slope = call.slope.data != nullptr ? call.slope.data[op.shared_slope ? 0 : k] : 0;
  float result = op.scale * activate(op.activation, sum_at(call, n, p, q, k), slope);
  if (call.residual.data != nullptr) result += pixel_of(call.residual, n, p, q)[k];
  if (call.y_f32.data != nullptr) {
    pixel_of(call.y_f32, n, p, q)[k] = result;
    return;
  }
  const RoundedToCode code{call.code_y.data, call.code_y.data + call.code_y.w_stride, y.c};
  pixel_of(call.y_i8, n, p, q)[k] = code(result, k);
}

}  // namespace

void launch_quantized_conv2d_naive(const CudaQuantizedConv2dCall& call) {
  const Shape& y = call.y_shape();
  const std::int64_t blocks = (y.elements() + kThreads - 1) / kThreads;
  naive<<<static_cast<unsigned>(blocks), kThreads, 0, call.stream>>>(call, y);
  cuda_check(cudaGetLastError(), "quantized_conv2d/cuda_naive");
}

}  // namespace mend
