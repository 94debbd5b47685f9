// SSIM as a loss, a tile of 16 x 16 windows (or pixels) a block, channel by channel.
//
//   x, target  26 x 26 ──▶ shared ── rows: 5 moments of 26 x 16 ──▶ shared ── columns ──▶ a window a thread
//     value     1 − SSIM, summed over the block in a fixed tree, then over the blocks
//     gradient  ∂SSIM/∂(m, q, r) of every window ──▶ memory;  a second kernel spreads them the same way back
//
// Bound by arithmetic in double: 220 products and sums a window, twice and more for the gradient; a GPU whose
// doubles are 64 times slower than its floats takes as long for them as for a small convolution. Shared
// memory: 22 and 26 KB a block. Warps read 32 doubles side by side there, so no banks collide.
//
// Next idea: the channels of a pixel side by side in a warp, for whole sectors of x and y; with C = 3 each
// channel's pass finds in the L1 cache what the first has read.
#include "engine/cuda/check.h"
#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/sum.cuh"
#include "kernels/ssim/cuda.h"
#include "kernels/ssim/terms.h"

namespace mend {
namespace {

constexpr int kTile = 16, kThreads = kTile * kTile, kPatch = kTile + kSsimTaps - 1;

/// The terms of a window that the gradient is made of: [N,C,P,Q] each, one behind the other.
struct TermMaps {
  double* data;
  int images, channels, rows, columns;

  __device__ std::int64_t place(int term, int n, int c, int p, int q) const {
    return (((std::int64_t{term} * images + n) * channels + c) * rows + p) * columns + q;
  }
};
constexpr int kMaps = 3;

/// Adds up the block's numbers, in an order that depends on nothing. For all threads; thread 0 has the sum.
__device__ double sum_of_block(double number, double (&lanes)[kThreads]) {
  __syncthreads();
  lanes[threadIdx.x] = number;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) lanes[threadIdx.x] += lanes[threadIdx.x + half];
  }
  return lanes[0];
}

/// Brings channel c of the patch at (top, left) into shared memory; zeros beyond the image.
__device__ void load_patch(const View<const float>& x, int n, int top, int left, int c,
                           float (&patch)[kPatch][kPatch]) {
  for (int i = threadIdx.x; i < kPatch * kPatch; i += kThreads) {
    const int h = top + i / kPatch, w = left + i % kPatch;
    const bool inside = h < x.shape.h && w < x.shape.w;
    patch[i / kPatch][i % kPatch] = inside ? pixel_of(x, n, h, w)[c] : 0;
  }
}

/// The windows of a tile: either their losses' sum goes to sums[block], or what the gradient is made of to `maps`.
template <bool kForGradient>
__global__ void __launch_bounds__(kThreads)
    measure_windows(SsimTaps taps, View<const float> x, View<const float> y, TermMaps maps,
                    double* sums) {
  __shared__ float patches[2][kPatch][kPatch];
  __shared__ double rows[kSsimMoments][kPatch][kTile];
  const int r = threadIdx.x / kTile, s = threadIdx.x % kTile, n = blockIdx.z;
  const int p = blockIdx.y * kTile + r, q = blockIdx.x * kTile + s;
  double loss = 0;
  for (int c = 0; c < x.shape.c; ++c) {
    __syncthreads();  // the channel before has been read
    load_patch(x, n, blockIdx.y * kTile, blockIdx.x * kTile, c, patches[0]);
    load_patch(y, n, blockIdx.y * kTile, blockIdx.x * kTile, c, patches[1]);
    __syncthreads();
    for (int i = threadIdx.x; i < kPatch * kTile; i += kThreads) {
      const int h = i / kTile, w = i % kTile;
      double sum[kSsimMoments] = {};
#pragma unroll
      for (int k = 0; k < kSsimTaps; ++k) {
        const double a = patches[0][h][w + k], b = patches[1][h][w + k];
        sum[kMeanX] += taps.weights[k] * a;
        sum[kMeanY] += taps.weights[k] * b;
        sum[kMeanXX] += taps.weights[k] * (a * a);
        sum[kMeanYY] += taps.weights[k] * (b * b);
        sum[kMeanXY] += taps.weights[k] * (a * b);
      }
#pragma unroll
      for (int moment = 0; moment < kSsimMoments; ++moment) rows[moment][h][w] = sum[moment];
    }
    __syncthreads();
    if (p >= maps.rows || q >= maps.columns) continue;
    double moments[kSsimMoments] = {};
#pragma unroll
    for (int moment = 0; moment < kSsimMoments; ++moment) {
#pragma unroll
      for (int k = 0; k < kSsimTaps; ++k) {
        moments[moment] += taps.weights[k] * rows[moment][r + k][s];
      }
    }
    const SsimTerms terms = ssim_terms(moments);
    loss += 1 - terms.ssim;
    if (!kForGradient) continue;
    maps.data[maps.place(0, n, c, p, q)] = terms.by_x;
    maps.data[maps.place(1, n, c, p, q)] = terms.by_xx;
    maps.data[maps.place(2, n, c, p, q)] = terms.by_xy;
  }
  if (kForGradient) return;
  __shared__ double lanes[kThreads];
  const double sum = sum_of_block(loss, lanes);
  const std::uint32_t block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  if (threadIdx.x == 0) sums[block] = sum;
}

/// Pixels of a tile: each gathers what the windows that hold it say, weighted as they weigh it.
__global__ void __launch_bounds__(kThreads)
    gather_windows(SsimTaps taps, View<const float> x, View<const float> y, TermMaps maps,
                   double scale, View<float> gradient) {
  __shared__ double patch[kPatch][kPatch];
  __shared__ double rows[kPatch][kTile];
  const int r = threadIdx.x / kTile, s = threadIdx.x % kTile, n = blockIdx.z;
  const int h = blockIdx.y * kTile + r, w = blockIdx.x * kTile + s;
  // Windows that hold pixel h begin in rows h − kSsimTaps + 1 to h.
  const int top = blockIdx.y * kTile - (kSsimTaps - 1);
  const int left = blockIdx.x * kTile - (kSsimTaps - 1);
  const bool inside = h < x.shape.h && w < x.shape.w;
  for (int c = 0; c < x.shape.c; ++c) {
    double gathered[kMaps];
#pragma unroll
    for (int term = 0; term < kMaps; ++term) {
      __syncthreads();  // the map before has been read
      for (int i = threadIdx.x; i < kPatch * kPatch; i += kThreads) {
        const int p = top + i / kPatch, q = left + i % kPatch;
        const bool exists = p >= 0 && q >= 0 && p < maps.rows && q < maps.columns;
        patch[i / kPatch][i % kPatch] = exists ? maps.data[maps.place(term, n, c, p, q)] : 0;
      }
      __syncthreads();
      for (int i = threadIdx.x; i < kPatch * kTile; i += kThreads) {
        double sum = 0;
#pragma unroll
        for (int k = 0; k < kSsimTaps; ++k) {
          sum += taps.weights[kSsimTaps - 1 - k] * patch[i / kTile][i % kTile + k];
        }
        rows[i / kTile][i % kTile] = sum;
      }
      __syncthreads();
      gathered[term] = 0;
#pragma unroll
      for (int k = 0; k < kSsimTaps; ++k) {
        gathered[term] += taps.weights[kSsimTaps - 1 - k] * rows[r + k][s];
      }
    }
    if (!inside) continue;
    const double a = pixel_of(x, n, h, w)[c], b = pixel_of(y, n, h, w)[c];
    pixel_of(gradient, n, h, w)[c] =
        static_cast<float>(scale * (gathered[0] + 2 * a * gathered[1] + b * gathered[2]));
  }
}

TermMaps maps_of(const Shape& x) {
  return {nullptr, x.n, x.c, x.h - kSsimTaps + 1, x.w - kSsimTaps + 1};
}
std::int64_t windows_of(const TermMaps& maps) {
  return std::int64_t{maps.images} * maps.channels * maps.rows * maps.columns;
}
dim3 tiles_of(int images, int rows, int columns) {
  return {static_cast<unsigned>(divide_up(columns, kTile)),
          static_cast<unsigned>(divide_up(rows, kTile)), static_cast<unsigned>(images)};
}
Tensor doubles(std::int64_t count, CudaDevice& device) {
  return Tensor::empty({1, 1, static_cast<int>(count), sizeof(double)}, DType::kU8, device);
}

}  // namespace

void ssim_loss_cuda(const SsimTaps& taps, View<const float> x, View<const float> target,
                    View<float> y) {
  CudaDevice& device = current_cuda_device();
  const TermMaps maps = maps_of(x.shape);
  const dim3 tiles = tiles_of(maps.images, maps.rows, maps.columns);
  const std::uint32_t blocks = tiles.x * tiles.y * tiles.z;
  const Tensor of_blocks = doubles(blocks, device);
  auto* const sums = reinterpret_cast<double*>(of_blocks.storage()->data());
  measure_windows<false><<<tiles, kThreads, 0, device.stream()>>>(taps, x, target, maps, sums);
  cuda_check(cudaGetLastError(), "ssim_loss/cuda");
  sum_parts<<<1, kSumThreads, 0, device.stream()>>>(Walk<1>(y.shape, {Strides(y)}), sums, y.data,
                                                    1 / static_cast<double>(windows_of(maps)),
                                                    blocks, 1, kSumThreads);
  cuda_check(cudaGetLastError(), "ssim_loss/cuda");
}

void ssim_loss_gradient_cuda(const SsimTaps& taps, View<const float> x, View<const float> target,
                             View<float> y) {
  CudaDevice& device = current_cuda_device();
  TermMaps maps = maps_of(x.shape);
  const std::int64_t windows = windows_of(maps);
  const Tensor terms = doubles(kMaps * windows, device);
  maps.data = reinterpret_cast<double*>(terms.storage()->data());
  measure_windows<true>
      <<<tiles_of(maps.images, maps.rows, maps.columns), kThreads, 0, device.stream()>>>(
          taps, x, target, maps, nullptr);
  cuda_check(cudaGetLastError(), "ssim_loss_gradient/cuda");
  gather_windows<<<tiles_of(x.shape.n, x.shape.h, x.shape.w), kThreads, 0, device.stream()>>>(
      taps, x, target, maps, -1 / static_cast<double>(windows), y);
  cuda_check(cudaGetLastError(), "ssim_loss_gradient/cuda");
}

}  // namespace mend
