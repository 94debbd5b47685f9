// One output a thread, which samples what its taps see for itself: K/groups threads sample the same.
#include "engine/cuda/check.h"
#include "kernels/cuda/units.cuh"
#include "kernels/deform_conv2d/cuda.h"
#include "kernels/deform_conv2d/cuda_taps.cuh"

namespace mend {
namespace {

using namespace deform;

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    deform_naive(const __grid_constant__ CudaDeformCall call,
                 const __grid_constant__ Samples samples, UnitsOf units, int first_image) {
  const std::int64_t unit = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (unit >= units.count) return;
  const CudaDeform& op = call.op;
  const auto [n, p, q, k] = units.place<1>(static_cast<int>(unit), first_image);
  const int C = call.weight.shape.c, channels = call.x.shape.c / op.offset_groups;
  const int first = k / (call.y.shape.c / op.groups) * C, end = first + C;
  double sum = call.bias.data != nullptr ? call.bias.data[k] : 0;
  for (int g = first / channels; g * channels < end; ++g) {
    const int from = max(first, g * channels), to = min(end, (g + 1) * channels);
    for (int r = 0; r < op.kernel_h; ++r)
      for (int s = 0; s < op.kernel_w; ++s) {
        const int t = (g * op.kernel_h + r) * op.kernel_w + s;
        const Corners corners(call.x, n, samples.position(n, p, q, t, r, s));
        const float* weight = pixel_of(call.weight, k, r, s) - first;
        float of_tap = 0;
        for (int c = from; c < to; ++c) {
          float seen = 0;
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            if (corners.weight[i] != 0) {
              seen = fmaf(corners.weight[i], call.x.data[corners.at[i] + c], seen);
            }
          }
          of_tap = fmaf(weight[c], seen, of_tap);
        }
        sum += of_tap;
      }
  }
  pixel_of(call.y, n, p, q)[k] = static_cast<float>(sum);
}

}  // namespace

void launch_deform_naive(const CudaDeformCall& call) {
  const Samples samples(call.op, call.offset, call.mask, call.y.shape.h);
  for_each_launch(call.y.shape, 1, kThreads, [&](unsigned blocks, UnitsOf units, int first) {
    deform_naive<<<blocks, kThreads, 0, call.stream>>>(call, samples, units, first);
    cuda_check(cudaGetLastError(), "deform_conv2d/cuda_naive");
  });
}

}  // namespace mend
