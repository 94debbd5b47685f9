// Grid sampling: a few weighted pixels for every output.
//
//   cuda_naive   a number a thread, which works out the position for itself: for 64 channels 64 times
//   cuda_taps    a block has 64 outputs. First a thread works out the position of each, in double, and leaves pixels
//                and weights in shared memory, then all threads go through the outputs' channels, 16 bytes at a time
//                where the views allow it; neighbouring threads have neighbouring channels. The grid is read once, y
//                written once; pixels of x that neighbours share come from L1.
//
// Next idea: 32 outputs in 2-D blocks, so that under rotations too they share pixels.
#include "engine/cuda/check.h"
#include "kernels/cuda/divide.cuh"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/units.cuh"
#include "kernels/grid_sample/cuda.h"
#include "kernels/grid_sample/cuda_taps.cuh"

namespace mend {
namespace {

using namespace grid_sample;

constexpr int kThreads = 256;
constexpr int kOutputs = 64;  ///< of a block of cuda_taps

template <class T>
struct Numbers {
  static constexpr int kCount = 1;
};
template <class T>
struct Numbers<Pack<T>> {
  static constexpr int kCount = Pack<T>::kCount;
};

/// The channels of Unit from `c` on. What a pixel without weight has does not count: it may be no number. It is read
/// all the same, so that no load waits for a branch.
template <SampleMode kMode, class Unit>
__device__ void sample(const OutputTaps<kMode>& taps, const View<const float>& x, int n, int c,
                       float* to) {
  constexpr int kTaps = taps_of(kMode), kCount = Numbers<Unit>::kCount;
  alignas(sizeof(Unit)) float sum[kCount];
#pragma unroll
  for (float& number : sum) number = taps.is_finite ? 0 : NAN;
#pragma unroll
  for (int r = 0; r < kTaps; ++r) {
#pragma unroll
    for (int s = 0; s < kTaps; ++s) {
      const float weight = taps.rows.weight[r] * taps.columns.weight[s];
      const auto pixel = *reinterpret_cast<const Unit*>(
          pixel_of(x, n, taps.rows.index[r], taps.columns.index[s]) + c);
      const auto* numbers = reinterpret_cast<const float*>(&pixel);
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        sum[i] = fmaf(weight, weight != 0 ? numbers[i] : 0, sum[i]);
      }
    }
  }
  *reinterpret_cast<Unit*>(to) = *reinterpret_cast<Unit*>(sum);
}

template <SampleMode kMode>
__global__ void __launch_bounds__(kThreads)
    sample_naive(CudaGridSample op, View<const float> x, View<const float> grid, View<float> y,
                 UnitsOf units, int first_image) {
  const std::int64_t unit = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (unit >= units.count) return;
  const auto [n, p, q, c] = units.place<1>(static_cast<int>(unit), first_image);
  const float* at = pixel_of(grid, n, p, q);
  const OutputTaps<kMode> taps(op, at[0], at[1]);
  sample<kMode, float>(taps, x, n, c, pixel_of(y, n, p, q) + c);
}

template <SampleMode kMode, class Unit>
__global__ void __launch_bounds__(kThreads)
    sample_taps(CudaGridSample op, View<const float> x, View<const float> grid, View<float> y,
                FastDivider width, FastDivider units) {
  __shared__ alignas(16) char memory[kOutputs * sizeof(OutputTaps<kMode>)];
  auto* taps = reinterpret_cast<OutputTaps<kMode>*>(memory);
  const int n = blockIdx.z, first = blockIdx.x * kOutputs;
  const int count = min(kOutputs, y.shape.h * y.shape.w - first);
  if (static_cast<int>(threadIdx.x) < count) {
    const auto [p, q] = width(first + threadIdx.x);
    const float* at = pixel_of(grid, n, p, q);
    taps[threadIdx.x] = OutputTaps<kMode>(op, at[0], at[1]);
  }
  __syncthreads();
  const int all = count * static_cast<int>(units.divisor);
  for (int unit = threadIdx.x; unit < all; unit += kThreads) {
    const auto [output, own] = units(unit);
    const auto [p, q] = width(first + output);
    const int c = own * Numbers<Unit>::kCount;
    sample<kMode, Unit>(taps[output], x, n, c, pixel_of(y, n, p, q) + c);
  }
}

}  // namespace

void launch_grid_sample_naive(const CudaGridSample& op, const View<const float>& x,
                              const View<const float>& grid, const View<float>& y,
                              cudaStream_t stream) {
  with_mode(op.mode, [&]<SampleMode kMode>() {
    for_each_launch(y.shape, 1, kThreads, [&](unsigned blocks, UnitsOf units, int first) {
      sample_naive<kMode><<<blocks, kThreads, 0, stream>>>(op, x, grid, y, units, first);
      cuda_check(cudaGetLastError(), "grid_sample/cuda_naive");
    });
  });
}

void launch_grid_sample_taps(const CudaGridSample& op, const View<const float>& x,
                             const View<const float>& grid, const View<float>& y,
                             cudaStream_t stream) {
  const bool wide = packs(x) && packs(y) && y.shape.c % Pack<float>::kCount == 0;
  const FastDivider width(y.shape.w);
  const FastDivider units(wide ? y.shape.c / Pack<float>::kCount : y.shape.c);
  const dim3 blocks(divide_up(y.shape.h * y.shape.w, kOutputs), 1, y.shape.n);
  with_mode(op.mode, [&]<SampleMode kMode>() {
    const auto run = wide ? sample_taps<kMode, Pack<float>> : sample_taps<kMode, float>;
    run<<<blocks, kThreads, 0, stream>>>(op, x, grid, y, width, units);
    cuda_check(cudaGetLastError(), "grid_sample/cuda_taps");
  });
}

}  // namespace mend
