// Demodulate: a warp for each output channel of each style, which goes over its weights side by side. The
// weights are read once from memory, and from L2 for the other styles.
#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/element.cuh"
#include "kernels/normalization/cuda.h"

namespace mend {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;

template <class Unit>
__global__ void __launch_bounds__(kThreads)
    demodulate(View<const float> weight, View<const float> style, double eps, View<float> y) {
  constexpr int kNumbers = sizeof(Unit) / sizeof(float);
  const auto [K, R, S, C] = weight.shape;
  const std::int64_t warp = std::int64_t{blockIdx.x} * kWarps + static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int n = static_cast<int>(warp / K), k = static_cast<int>(warp % K);
  if (n >= style.shape.n) return;
  const Unit* const styles = reinterpret_cast<const Unit*>(pixel_of(style, n, 0, 0));
  double sum = 0;
  for (int r = 0; r < R; ++r)
    for (int s = 0; s < S; ++s) {
      const Unit* const weights = reinterpret_cast<const Unit*>(pixel_of(weight, k, r, s));
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
  if (lane == 0) pixel_of(y, n, 0, 0)[k] = static_cast<float>(1 / sqrt(sum + eps));
}

}  // namespace

void launch_demodulate(float eps, View<const float> weight, View<const float> style,
                       View<float> y) {
  const bool wide = weight.shape.c % 4 == 0 && packs(weight) && packs(style);
  const std::int64_t warps = std::int64_t{style.shape.n} * weight.shape.n;
  const auto blocks = static_cast<unsigned>((warps + kWarps - 1) / kWarps);
  (wide ? demodulate<Pack<float>>
        : demodulate<float>)<<<blocks, kThreads, 0, current_cuda_device().stream()>>>(weight, style,
                                                                                      eps, y);
  cuda_check(cudaGetLastError(), "demodulate");
}

}  // namespace mend
