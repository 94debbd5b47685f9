// One unit of y a thread; neighbouring threads read neighbouring numbers of x, which the caches serve to all
// outputs that see them. With the taps of one axis alone it is one pass of two.
//
// What limits it: a load from L1 for each product, unless memory does.
#include "engine/cuda/check.h"
#include "kernels/cuda/cuda_separable.h"
#include "kernels/cuda/units.cuh"

namespace mend {
namespace {

constexpr int kThreads = 256;

__device__ float scaled_sum(float weight, float x, float sum) { return fmaf(weight, x, sum); }
__device__ Pack<float> scaled_sum(float weight, const Pack<float>& x, Pack<float> sum) {
#pragma unroll
  for (int i = 0; i < 4; ++i) sum.values[i] = fmaf(weight, x.values[i], sum.values[i]);
  return sum;
}

/// Σ weight · term(index) over the taps of one output; term(output) itself where the axis has none.
template <bool kTaps, class Unit, class Term>
__device__ Unit sum_of(SeparableAxisOnGpu axis, int output, const Term& term) {
  if constexpr (!kTaps) {
    return term(output);
  } else {
    Unit sum{};
    const int end = axis.start[output + 1];
#pragma unroll 2
    for (int t = axis.start[output]; t < end; ++t) {
      const SeparableTap tap = axis.taps[t];
      sum = scaled_sum(tap.weight, term(tap.index), sum);
    }
    return sum;
  }
}

/// Blocks of a multiprocessor, so that ptxas takes no fewer registers than it needs. Turing holds 1024 threads.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
constexpr int kBlocksBothWays = 4;
#else
constexpr int kBlocksBothWays = 5;
#endif

template <class Unit, bool kRows, bool kColumns>
__global__ void __launch_bounds__(kThreads, kRows&& kColumns ? kBlocksBothWays : 0)
    separable(SeparableAxisOnGpu rows, SeparableAxisOnGpu columns, View<const float> x,
              View<float> y, UnitsOf units, int first_image) {
  const std::int64_t unit = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (unit >= units.count) return;
  constexpr int kNumbers = sizeof(Unit) / sizeof(float);
  const auto [n, p, q, c] = units.place<kNumbers>(static_cast<int>(unit), first_image);
  const float* image = pixel_of(x, n, 0, 0) + c;
  const int column = q;
  const Unit sum = sum_of<kRows, Unit>(rows, p, [&](int h) {
    const float* row = image + h * x.h_stride;
    return sum_of<kColumns, Unit>(columns, column, [&](int w) {
      return *reinterpret_cast<const Unit*>(row + w * x.w_stride);
    });
  });
  *reinterpret_cast<Unit*>(pixel_of(y, n, p, q) + c) = sum;
}

template <class Unit, bool kRows, bool kColumns>
void launch(SeparableAxisOnGpu rows, SeparableAxisOnGpu columns, const View<const float>& x,
            const View<float>& y, cudaStream_t stream) {
  constexpr int kNumbers = sizeof(Unit) / sizeof(float);
  for_each_launch(y.shape, kNumbers, kThreads, [&](unsigned blocks, UnitsOf units, int first) {
    separable<Unit, kRows, kColumns>
        <<<blocks, kThreads, 0, stream>>>(rows, columns, x, y, units, first);
    cuda_check(cudaGetLastError(), "weighted sums over rows and columns");
  });
}

template <class Unit>
void launch_axes(SeparableAxisOnGpu rows, SeparableAxisOnGpu columns, const View<const float>& x,
                 const View<float>& y, cudaStream_t stream) {
  if (rows.taps == nullptr) return launch<Unit, false, true>(rows, columns, x, y, stream);
  if (columns.taps == nullptr) return launch<Unit, true, false>(rows, columns, x, y, stream);
  launch<Unit, true, true>(rows, columns, x, y, stream);
}

}  // namespace

void launch_separable(SeparableAxisOnGpu rows, SeparableAxisOnGpu columns,
                      const View<const float>& x, const View<float>& y, cudaStream_t stream) {
  if (x.shape.c % 4 == 0 && packs(x) && packs(y)) {
    return launch_axes<Pack<float>>(rows, columns, x, y, stream);
  }
  launch_axes<float>(rows, columns, x, y, stream);
}

}  // namespace mend
