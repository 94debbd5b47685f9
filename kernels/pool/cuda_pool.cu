// One unit of y a thread: windows that are next to each other read whole lines of x together.
#include "engine/cuda/check.h"
#include "kernels/cuda/units.cuh"
#include "kernels/pool/cuda.h"
#include "kernels/pool/cuda_window.cuh"

namespace mend {
namespace {

constexpr int kThreads = 256;

template <class Unit, class Reduce, class Windows>
__global__ void __launch_bounds__(kThreads, Windows::kBlocks)
    pool(Windows windows, View<const float> x, View<float> y, UnitsOf units, int first_image) {
  const std::int64_t unit = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (unit >= units.count) return;
  constexpr int kNumbers = sizeof(Unit) / sizeof(float);
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
      const Unit value = *reinterpret_cast<const Unit*>(pixel_of(x, n, h, w) + c);
#pragma unroll
      for (int i = 0; i < kNumbers; ++i) {
        line[i] = Reduce::with(line[i], reinterpret_cast<const float*>(&value)[i]);
      }
    }
#pragma unroll
    for (int i = 0; i < kNumbers; ++i) result[i] = Reduce::with(result[i], line[i]);
  }
  const float pixels = windows.pixels(rows, columns);
  float* to = pixel_of(y, n, p, q) + c;
  Unit unit_of_y;
#pragma unroll
  for (int i = 0; i < kNumbers; ++i) {
    constexpr bool kMean = std::is_same_v<Reduce, Sum>;
    reinterpret_cast<float*>(&unit_of_y)[i] = kMean ? result[i] / pixels : result[i];
  }
  *reinterpret_cast<Unit*>(to) = unit_of_y;
}

template <class Unit, class Reduce, class Windows>
void launch_units(Windows windows, const View<const float>& x, const View<float>& y,
                  cudaStream_t stream) {
  constexpr int kNumbers = sizeof(Unit) / sizeof(float);
  for_each_launch(y.shape, kNumbers, kThreads, [&](unsigned blocks, UnitsOf units, int first) {
    pool<Unit, Reduce><<<blocks, kThreads, 0, stream>>>(windows, x, y, units, first);
    cuda_check(cudaGetLastError(), "pool/cuda");
  });
}

template <class Windows>
void launch(PoolKind kind, Windows windows, const View<const float>& x, const View<float>& y,
            cudaStream_t stream) {
  const bool wide = x.shape.c % 4 == 0 && packs(x) && packs(y), max = kind == PoolKind::kMax;
  if (wide && max) return launch_units<Pack<float>, Largest>(windows, x, y, stream);
  if (wide) return launch_units<Pack<float>, Sum>(windows, x, y, stream);
  if (max) return launch_units<float, Largest>(windows, x, y, stream);
  launch_units<float, Sum>(windows, x, y, stream);
}

}  // namespace

void launch_pool(PoolKind kind, int kernel, int stride, int padding, const View<const float>& x,
                 const View<float>& y, cudaStream_t stream) {
  launch(kind, PoolWindows{kernel, stride, padding}, x, y, stream);
}

void launch_adaptive_pool(PoolKind kind, const View<const float>& x, const View<float>& y,
                          cudaStream_t stream) {
  launch(kind, AdaptiveWindows{}, x, y, stream);
}

}  // namespace mend
