// Convolution, one output a thread: the formula as it stands.
//
// What limits it: every thread fetches its own R·S·C numbers and weights, two loads for one FMA.
// Neighbouring threads compute neighbouring channels of one pixel, so x is a broadcast that the L1 cache
// serves, but each thread walks along its own row of weights. Sums in f32, in the order r, s, c.
#include "engine/cuda/check.h"
#include "kernels/activation/activation.cuh"
#include "kernels/conv2d/cuda.h"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/element_place.cuh"

namespace mend {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void __launch_bounds__(kThreads)
    naive(CudaConv2dParameters op, View<const T> x, const float* weight, const float* bias,
          const float* slope, View<const T> residual, View<T> y) {
  const int H = x.shape.h, W = x.shape.w, C = x.shape.c / op.groups;
  const int K = y.shape.c;
  const std::int64_t output = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (output >= std::int64_t{y.shape.n} * y.shape.h * y.shape.w * K) return;
  const auto [n, p, q, k] = element_place(output, y.shape);

  const int first = k / (K / op.groups) * C;  // the first channel of k's group
  float z = bias != nullptr ? bias[k] : 0;
  for (int r = 0; r < op.kernel_h; ++r)
    for (int s = 0; s < op.kernel_w; ++s) {
      const int h =
          source_index(p * op.stride + r * op.dilation - op.padding_h, H, op.padding_mode);
      const int w =
          source_index(q * op.stride + s * op.dilation - op.padding_w, W, op.padding_mode);
      if (h < 0 || w < 0) continue;  // zero padding
      const T* from = pixel_of(x, n, h, w) + first;
      const float* tap = weight + ((std::int64_t{k} * op.kernel_h + r) * op.kernel_w + s) * C;
      for (int c = 0; c < C; ++c) z = fmaf(as_float(from[c]), tap[c], z);
    }
  const float own_slope = slope != nullptr ? slope[op.shared_slope ? 0 : k] : 0;
  float result = op.scale * activate(op.activation, z, own_slope);
  if (residual.data != nullptr) result += as_float(pixel_of(residual, n, p, q)[k]);
  pixel_of(y, n, p, q)[k] = from_float<T>(result);
}

template <class T>
void launch(const CudaConv2dCall& call) {
  const std::int64_t blocks = (call.y.shape().elements() + kThreads - 1) / kThreads;
  naive<T><<<static_cast<unsigned>(blocks), kThreads, 0, call.stream>>>(
      call.parameters, call.x.view<const T>(), call.weight.view<const float>().data,
      call.bias.view<const float>().data, call.slope.view<const float>().data,
      call.residual.view<const T>(), call.y.view<T>());
  cuda_check(cudaGetLastError(), "conv2d/cuda_naive");
}

}  // namespace

void launch_conv2d_naive(const CudaConv2dCall& call) {
  if (call.y.dtype() == DType::kF16) return launch<Half>(call);
  if (call.y.dtype() == DType::kBF16) return launch<BFloat16>(call);
  launch<float>(call);
}

}  // namespace mend
