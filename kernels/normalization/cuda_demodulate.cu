// Demodulate: a block for each output channel of each style; its warps share out the rows of weights. These are
// read once from memory, and from L2 for the other styles.
#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/element.cuh"
#include "kernels/normalization/cuda.h"

namespace mend {
namespace {

constexpr int kThreads = 128, kWarps = kThreads / 32;

template <class Unit>
__global__ void __launch_bounds__(kThreads)
    demodulate(View<const float> weight, View<const float> style, double eps, View<float> y) {
  constexpr int kNumbers = sizeof(Unit) / sizeof(float);
  __shared__ double of_warps[kWarps];
  const auto [K, R, S, C] = weight.shape;
  const int n = static_cast<int>(blockIdx.x) / K, k = static_cast<int>(blockIdx.x) % K;
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const Unit* const styles = reinterpret_cast<const Unit*>(pixel_of(style, n, 0, 0));
  double sum = 0;
  for (int tap = warp; tap < R * S; tap += kWarps) {
    const Unit* const weights =
        reinterpret_cast<const Unit*>(pixel_of(weight, k, tap / S, tap % S));
    float squares = 0;
#pragma unroll 4
    for (int unit = lane; unit < C / kNumbers; unit += 32) {
      const Unit w = weights[unit], m = styles[unit];
#pragma unroll
      for (int e = 0; e < kNumbers; ++e) {
        const float modulated =
            reinterpret_cast<const float*>(&w)[e] * reinterpret_cast<const float*>(&m)[e];
        squares = fmaf(modulated, modulated, squares);
      }
    }
    sum += squares;
  }
#pragma unroll
  for (int other = 16; other > 0; other /= 2) sum += __shfl_xor_sync(0xFFFFFFFFu, sum, other);
  if (lane == 0) of_warps[warp] = sum;
  __syncthreads();
  if (threadIdx.x != 0) return;
  double all = eps;
#pragma unroll
  for (int i = 0; i < kWarps; ++i) all += of_warps[i];
  pixel_of(y, n, 0, 0)[k] = static_cast<float>(1 / sqrt(all));
}

}  // namespace

void launch_demodulate(float eps, View<const float> weight, View<const float> style,
                       View<float> y) {
  const bool wide = weight.shape.c % 4 == 0 && packs(weight) && packs(style);
  const auto blocks = static_cast<unsigned>(style.shape.n * weight.shape.n);
  (wide ? demodulate<Pack<float>>
        : demodulate<float>)<<<blocks, kThreads, 0, current_cuda_device().stream()>>>(weight, style,
                                                                                      eps, y);
  cuda_check(cudaGetLastError(), "demodulate");
}

}  // namespace mend
