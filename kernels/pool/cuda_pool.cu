// One unit of y a thread: windows that are next to each other read whole lines of x together.
#include "engine/cuda/check.h"
#include "kernels/cuda/run.cuh"
#include "kernels/cuda/units.cuh"
#include "kernels/pool/cuda.h"
#include "kernels/pool/cuda_window.cuh"

namespace mend {
namespace {

constexpr int kThreads = 256;

template <int kNumbers, class Reduce, class Windows, class T>
__global__ void __launch_bounds__(kThreads, Windows::kBlocks)
    pool(Windows windows, View<const T> x, View<T> y, UnitsOf units, int first_image) {
  const std::int64_t unit = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (unit >= units.count) return;
  using Unit = Run<T, kNumbers>;
  const auto [n, p, q, c] = units.place<kNumbers>(static_cast<int>(unit), first_image);
  const PoolSpan rows = windows(p, y.shape.h, x.shape.h);
  const PoolSpan columns = windows(q, y.shape.w, x.shape.w);
  const float nothing = Reduce::kNothing;
  float result[kNumbers], line[kNumbers];
#pragma unroll
  for (int i = 0; i < kNumbers; ++i) result[i] = nothing;
  for (int h = rows.first; h < rows.last;
       ++h) {  // row by row, so that sums of large windows stay exact
#pragma unroll
    for (int i = 0; i < kNumbers; ++i) line[i] = nothing;
    for (int w = columns.first; w < columns.last; ++w) {
      const auto value = as_floats(*reinterpret_cast<const Unit*>(pixel_of(x, n, h, w) + c));
#pragma unroll
      for (int i = 0; i < kNumbers; ++i) line[i] = Reduce::with(line[i], value.values[i]);
    }
#pragma unroll
    for (int i = 0; i < kNumbers; ++i) result[i] = Reduce::with(result[i], line[i]);
  }
  const float pixels = windows.pixels(rows, columns);
  T* to = pixel_of(y, n, p, q) + c;
  Run<float, kNumbers> unit_of_y;
#pragma unroll
  for (int i = 0; i < kNumbers; ++i) {
    constexpr bool kMean = std::is_same_v<Reduce, Sum>;
    unit_of_y.values[i] = kMean ? result[i] / pixels : result[i];
  }
  *reinterpret_cast<Unit*>(to) = from_floats<T>(unit_of_y);
}

template <int kNumbers, class Reduce, class Windows, class T>
void launch_units(Windows windows, const View<const T>& x, const View<T>& y, cudaStream_t stream) {
  for_each_launch(y.shape, kNumbers, kThreads, [&](unsigned blocks, UnitsOf units, int first) {
    pool<kNumbers, Reduce><<<blocks, kThreads, 0, stream>>>(windows, x, y, units, first);
    cuda_check(cudaGetLastError(), "pool/cuda");
  });
}

template <class Windows, class T>
void launch(PoolKind kind, Windows windows, const View<const T>& x, const View<T>& y,
            cudaStream_t stream) {
  constexpr int kWide = 4;
  const bool wide = x.shape.c % kWide == 0 && runs<kWide>(x) && runs<kWide>(y);
  const bool max = kind == PoolKind::kMax;
  if (wide && max) return launch_units<kWide, Largest>(windows, x, y, stream);
  if (wide) return launch_units<kWide, Sum>(windows, x, y, stream);
  if (max) return launch_units<1, Largest>(windows, x, y, stream);
  launch_units<1, Sum>(windows, x, y, stream);
}

}  // namespace

template <class T>
void launch_pool(PoolKind kind, int kernel, int stride, int padding, const View<const T>& x,
                 const View<T>& y, cudaStream_t stream) {
  launch(kind, PoolWindows{kernel, stride, padding}, x, y, stream);
}

template <class T>
void launch_adaptive_pool(PoolKind kind, const View<const T>& x, const View<T>& y,
                          cudaStream_t stream) {
  launch(kind, AdaptiveWindows{}, x, y, stream);
}

#define MEND_POOL(T)                                                                       \
  template void launch_pool(PoolKind, int, int, int, const View<const T>&, const View<T>&, \
                            cudaStream_t);                                                 \
  template void launch_adaptive_pool(PoolKind, const View<const T>&, const View<T>&, cudaStream_t)
MEND_POOL(float);
MEND_POOL(Half);
MEND_POOL(BFloat16);
#undef MEND_POOL

}  // namespace mend
