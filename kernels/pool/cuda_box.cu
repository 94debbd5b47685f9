// The mean of a window of any size at the cost of three loads: along an axis the window slides, one number
// enters, one leaves. Rows first, into an image of means, then columns. Sums are double, as on the CPU; each
// band of outputs starts afresh, which costs a window, so bands are as long as windows where there is enough to
// do, and shorter where the GPU would be idle.
#include <algorithm>

#include "engine/cuda/check.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/units.cuh"
#include "kernels/pool/cuda.h"

namespace mend {
namespace {

constexpr int kThreads = 256;
constexpr int kLongestSmallBand = 16, kShortestBand = 8;
constexpr std::int64_t kEnoughThreads = 132 * 512;

/// Along the rows h of x and y; op::BoxMean's windows.
struct SlidingWindow {
  int rows, extent, band;
  double share;  ///< 1 / rows

  __device__ int first(int p) const { return min(max(p - (rows - 1) / 2, 0), extent - rows); }
};

/// Through the cache for what nobody writes, so that loads need not wait for the stores before them.
__device__ float load(const float* from) { return __ldg(from); }
__device__ Pack<float> load(const Pack<float>* from) {
  const float4 values = __ldg(reinterpret_cast<const float4*>(from));
  return {values.x, values.y, values.z, values.w};
}

/// Units are numbered [n][band][w][c].
template <class Unit>
__global__ void __launch_bounds__(kThreads)
    slide(View<const float> x, View<float> y, SlidingWindow window, UnitsOf units,
          int first_image) {
  const std::int64_t index = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (index >= units.count) return;
  constexpr int kNumbers = sizeof(Unit) / sizeof(float);
  const auto [n, band, w, c] = units.place<kNumbers>(static_cast<int>(index), first_image);
  const float* const column = pixel_of(x, n, 0, w) + c;
  float* const to = pixel_of(y, n, 0, w) + c;
  double sum[kNumbers] = {};
  const auto add = [&](int row, double sign) {
    const Unit unit = load(reinterpret_cast<const Unit*>(column + row * x.h_stride));
#pragma unroll
    for (int e = 0; e < kNumbers; ++e) {
      sum[e] += sign * static_cast<double>(reinterpret_cast<const float*>(&unit)[e]);
    }
  };
  const int begin = band * window.band, end = min(begin + window.band, window.extent);
  int first = window.first(begin);
#pragma unroll 8
  for (int row = first; row < first + window.rows; ++row) add(row, 1);
#pragma unroll 4
  for (int p = begin; p < end; ++p) {
    const int next = window.first(p);
    if (next > first) {
      add(first + window.rows, 1);
      add(first, -1);
    }
    first = next;
    Unit mean;
#pragma unroll
    for (int e = 0; e < kNumbers; ++e) {
      reinterpret_cast<float*>(&mean)[e] = static_cast<float>(sum[e] * window.share);
    }
    *reinterpret_cast<Unit*>(to + p * y.h_stride) = mean;
  }
}

template <class Unit>
void launch_units(const View<const float>& x, const View<float>& y, const SlidingWindow& window,
                  cudaStream_t stream) {
  const Shape bands{x.shape.n, divide_up(x.shape.h, window.band), x.shape.w, x.shape.c};
  constexpr int kNumbers = sizeof(Unit) / sizeof(float);
  for_each_launch(bands, kNumbers, kThreads, [&](unsigned blocks, UnitsOf units, int first) {
    slide<Unit><<<blocks, kThreads, 0, stream>>>(x, y, window, units, first);
    cuda_check(cudaGetLastError(), "box_mean/cuda");
  });
}

/// Rows for columns.
template <class T>
View<T> turned(const View<T>& x) {
  return {x.data, {x.shape.n, x.shape.w, x.shape.h, x.shape.c}, x.n_stride, x.w_stride, x.h_stride};
}

}  // namespace

void launch_sliding_mean(int rows, bool columns, const View<const float>& x, const View<float>& y,
                         cudaStream_t stream) {
  if (columns) return launch_sliding_mean(rows, false, turned(x), turned(y), stream);
  rows = std::min(rows, x.shape.h);
  const bool wide = x.shape.c % 4 == 0 && packs(x) && packs(y);
  const std::int64_t units =
      std::int64_t{x.shape.n} * x.shape.w * (wide ? x.shape.c / 4 : x.shape.c);
  int band = std::max(rows, kLongestSmallBand);
  while (band > kShortestBand && units * divide_up(x.shape.h, band) < kEnoughThreads) {
    band = std::max(band / 2, kShortestBand);
  }
  const SlidingWindow window{rows, x.shape.h, band, 1.0 / rows};
  if (wide) return launch_units<Pack<float>>(x, y, window, stream);
  launch_units<float>(x, y, window, stream);
}

}  // namespace mend
