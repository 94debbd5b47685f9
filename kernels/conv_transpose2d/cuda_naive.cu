// Transposed convolution, one output a thread: gathered, so that nobody adds to what another one wrote.
//
// Output (p, q) is reached by the taps r = (p + padding) mod stride, + stride, ..., s likewise, from inputs
// that go back one by one. What limits it: two loads for one FMA. Sums in f32, in the order r, s, c.
#include "engine/cuda/check.h"
#include "kernels/activation/activation.cuh"
#include "kernels/conv_transpose2d/cuda.h"
#include "kernels/cuda/element.cuh"

namespace mend {
namespace {

constexpr int kThreads = 256;

struct Arguments {
  int stride, padding, groups;
  Activation activation;
  View<const float> x, weight;
  const float *bias, *slope;
  bool shared_slope;  // one for all channels
  View<float> y;
  std::int64_t outputs;
};

__global__ void __launch_bounds__(kThreads) naive(Arguments a) {
  std::int64_t output = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (output >= a.outputs) return;
  const int K = a.y.shape.c, C = a.weight.shape.c;
  const int k = static_cast<int>(output % K);
  output /= K;
  const int q = static_cast<int>(output % a.y.shape.w);
  output /= a.y.shape.w;
  const int p = static_cast<int>(output % a.y.shape.h), n = static_cast<int>(output / a.y.shape.h);

  const int first = k / (K / a.groups) * C;  // the first channel of k's group
  float z = a.bias != nullptr ? a.bias[k] : 0;
  for (int r = (p + a.padding) % a.stride; r < a.weight.shape.h; r += a.stride) {
    const int reach_h = p + a.padding - r, h = reach_h / a.stride;
    if (reach_h < 0 || h >= a.x.shape.h) continue;
    for (int s = (q + a.padding) % a.stride; s < a.weight.shape.w; s += a.stride) {
      const int reach_w = q + a.padding - s, w = reach_w / a.stride;
      if (reach_w < 0 || w >= a.x.shape.w) continue;
      const float* from = pixel_of(a.x, n, h, w) + first;
      const float* tap = pixel_of(a.weight, k, r, s);
      for (int c = 0; c < C; ++c) z = fmaf(from[c], tap[c], z);
    }
  }
  const float slope = a.slope != nullptr ? a.slope[a.shared_slope ? 0 : k] : 0;
  pixel_of(a.y, n, p, q)[k] = activate(a.activation, z, slope);
}

}  // namespace

void launch_conv_transpose2d_naive(const CudaConvTranspose2dCall& call) {
  const std::int64_t outputs = call.y.shape().elements();
  const std::int64_t blocks = (outputs + kThreads - 1) / kThreads;
  naive<<<static_cast<unsigned>(blocks), kThreads, 0, call.stream>>>(
      {call.stride, call.padding, call.groups, call.activation, call.x.view<const float>(),
       call.weight.view<const float>(), call.bias.view<const float>().data,
       call.slope.view<const float>().data, call.slope.shape().c == 1, call.y.view<float>(),
       outputs});
  cuda_check(cudaGetLastError(), "conv_transpose2d/cuda_naive");
}

}  // namespace mend
