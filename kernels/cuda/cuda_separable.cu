// One unit of y a thread; neighbouring threads read neighbouring numbers of x, which the caches serve to all
// outputs that see them. With the taps of one axis alone it is one pass of two.
//
// Images are f32, f16 or bf16, sums f32, and so is what lies between two passes.
//
// What limits it: a load from L1 for each product, unless memory does.
#include "engine/cuda/check.h"
#include "kernels/cuda/cuda_separable.h"
#include "kernels/cuda/run.cuh"
#include "kernels/cuda/units.cuh"

namespace mend {
namespace {

constexpr int kThreads = 256;

template <int kNumbers>
__device__ Run<float, kNumbers> scaled_sum(float weight, const Run<float, kNumbers>& x,
                                           Run<float, kNumbers> sum) {
#pragma unroll
  for (int i = 0; i < kNumbers; ++i) sum.values[i] = fmaf(weight, x.values[i], sum.values[i]);
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

template <int kNumbers, bool kRows, bool kColumns, class X, class Y>
__global__ void __launch_bounds__(kThreads, kRows&& kColumns ? kBlocksBothWays : 0)
    separable(SeparableAxisOnGpu rows, SeparableAxisOnGpu columns, View<const X> x, View<Y> y,
              UnitsOf units, int first_image) {
  const std::int64_t unit = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (unit >= units.count) return;
  using Sums = Run<float, kNumbers>;
  const auto [n, p, q, c] = units.place<kNumbers>(static_cast<int>(unit), first_image);
  const X* image = pixel_of(x, n, 0, 0) + c;
  const int column = q;
  const Sums sum = sum_of<kRows, Sums>(rows, p, [&](int h) {
    const X* row = image + h * x.h_stride;
    return sum_of<kColumns, Sums>(columns, column, [&](int w) {
      return as_floats(*reinterpret_cast<const Run<X, kNumbers>*>(row + w * x.w_stride));
    });
  });
  *reinterpret_cast<Run<Y, kNumbers>*>(pixel_of(y, n, p, q) + c) = from_floats<Y>(sum);
}

template <int kNumbers, bool kRows, bool kColumns, class X, class Y>
void launch(SeparableAxisOnGpu rows, SeparableAxisOnGpu columns, const View<const X>& x,
            const View<Y>& y, cudaStream_t stream) {
  for_each_launch(y.shape, kNumbers, kThreads, [&](unsigned blocks, UnitsOf units, int first) {
    separable<kNumbers, kRows, kColumns>
        <<<blocks, kThreads, 0, stream>>>(rows, columns, x, y, units, first);
    cuda_check(cudaGetLastError(), "weighted sums over rows and columns");
  });
}

template <int kNumbers, class X, class Y>
void launch_axes(SeparableAxisOnGpu rows, SeparableAxisOnGpu columns, const View<const X>& x,
                 const View<Y>& y, cudaStream_t stream) {
  if (rows.taps == nullptr) return launch<kNumbers, false, true>(rows, columns, x, y, stream);
  if (columns.taps == nullptr) return launch<kNumbers, true, false>(rows, columns, x, y, stream);
  launch<kNumbers, true, true>(rows, columns, x, y, stream);
}

}  // namespace

template <class X, class Y>
void launch_separable(SeparableAxisOnGpu rows, SeparableAxisOnGpu columns, const View<const X>& x,
                      const View<Y>& y, cudaStream_t stream) {
  constexpr int kWide = 4;
  if (x.shape.c % kWide == 0 && runs<kWide>(x) && runs<kWide>(y)) {
    return launch_axes<kWide>(rows, columns, x, y, stream);
  }
  launch_axes<1>(rows, columns, x, y, stream);
}
#define MEND_SEPARABLE(X, Y)                                                                   \
  template void launch_separable(SeparableAxisOnGpu, SeparableAxisOnGpu, const View<const X>&, \
                                 const View<Y>&, cudaStream_t)
MEND_SEPARABLE(float, float);
MEND_SEPARABLE(float, Half);
MEND_SEPARABLE(float, BFloat16);
MEND_SEPARABLE(Half, float);
MEND_SEPARABLE(Half, Half);
MEND_SEPARABLE(BFloat16, float);
MEND_SEPARABLE(BFloat16, BFloat16);
#undef MEND_SEPARABLE

}  // namespace mend
