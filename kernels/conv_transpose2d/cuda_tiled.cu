// Transposed convolution with a kernel as large as its stride, in f32: every output sees one pixel of x, so
// it is a GEMM, [pixels of x, C] · [C, R·S·K], whose rows are then dealt out to R x S pixels of y.
//
// What limits the rung below: two loads an FMA. Here a block computes 64 pixels x 64 columns: 16 channels at
// a time come into shared memory, and each of its 128 threads keeps 8 pixels x 4 columns as sums in
// registers. For 4 channels a thread reads 8 + 4 float4 and does 128 FMAs with them, as conv2d/cuda_tiled.
//
//   Columns are tap·K + k: neighbours are neighbouring outputs of one pixel of y.
//   A thread's pixels are 8 apart: the two that a warp reads at a time are neighbours, 20 floats from each
//   other, and never lie in the same banks.
#include "engine/cuda/check.h"
#include "kernels/activation/activation.cuh"
#include "kernels/conv_transpose2d/cuda.h"
#include "kernels/cuda/element.cuh"

namespace mend {
namespace {

constexpr int kPixels = 64, kColumns = 64, kChunk = 16;  // of a block
constexpr int kOwnPixels = 8, kOwnColumns = 4;           // of a thread
constexpr int kThreads = kPixels / kOwnPixels * (kColumns / kOwnColumns);
constexpr int kPixelPitch = kChunk + 4, kColumnPitch = kColumns + 4;

struct Arguments {
  Activation activation;
  View<const float> x, weight;
  const float *bias, *slope;
  bool shared_slope;  // one for all channels
  View<float> y;
  int columns;
  std::int64_t pixels;
};

/// A pixel of x by its number.
struct Place {
  int n, h, w;
  __device__ Place(std::int64_t pixel, const Shape& x)
      : n(static_cast<int>(pixel / x.w / x.h)),
        h(static_cast<int>(pixel / x.w % x.h)),
        w(static_cast<int>(pixel % x.w)) {}
};

__global__ void __launch_bounds__(kThreads) tiled(Arguments a) {
  // The sums lie where the numbers were.
  __shared__ __align__(16) float shared[kPixels * kColumns];
  static_assert(kPixels * kPixelPitch + kChunk * kColumnPitch <= kPixels * kColumns);
  float* const x = shared;                             // [pixel][channel]
  float* const taps = shared + kPixels * kPixelPitch;  // [channel][column]

  const int C = a.x.shape.c, K = a.y.shape.c, S = a.weight.shape.w;
  const std::int64_t first_pixel = std::int64_t{blockIdx.x} * kPixels;
  const int first_column = blockIdx.y * kColumns;
  const int column = threadIdx.x % (kColumns / kOwnColumns) * kOwnColumns;
  const int pixel = threadIdx.x / (kColumns / kOwnColumns);

  // What this thread brings: channel own_channel of every 8th pixel, and of every 8th column.
  constexpr int kApart = kThreads / kChunk, kBrought = kPixels / kApart;
  const int own_channel = threadIdx.x % kChunk, first_brought = threadIdx.x / kChunk;
  const float* pixels[kBrought];
  const float* columns[kBrought];
  static_assert(kPixels == kColumns);
#pragma unroll
  for (int i = 0; i < kBrought; ++i) {
    const std::int64_t brought = first_pixel + first_brought + i * kApart;
    const Place at(brought, a.x.shape);
    pixels[i] = brought < a.pixels ? pixel_of(a.x, at.n, at.h, at.w) + own_channel : nullptr;
    const int own = first_column + first_brought + i * kApart, k = own % K, tap = own / K;
    columns[i] = own < a.columns ? pixel_of(a.weight, k, tap / S, tap % S) + own_channel : nullptr;
  }

  float sum[kOwnPixels][kOwnColumns] = {};
  for (int first = 0; first < C; first += kChunk) {
    __syncthreads();  // nobody reads the old ones any more
    const bool there = first + own_channel < C;
#pragma unroll
    for (int i = 0; i < kBrought; ++i) {
      const int to = first_brought + i * kApart;
      x[to * kPixelPitch + own_channel] = there && pixels[i] != nullptr ? pixels[i][first] : 0;
      taps[own_channel * kColumnPitch + to] =
          there && columns[i] != nullptr ? columns[i][first] : 0;
    }
    __syncthreads();
#pragma unroll
    for (int c = 0; c < kChunk; c += 4) {
      float4 w[4];
#pragma unroll
      for (int i = 0; i < 4; ++i)
        w[i] = *reinterpret_cast<const float4*>(taps + (c + i) * kColumnPitch + column);
#pragma unroll
      for (int j = 0; j < kOwnPixels; ++j) {
        const float4 v = *reinterpret_cast<const float4*>(
            x + (j * (kPixels / kOwnPixels) + pixel) * kPixelPitch + c);
        const float channel[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          sum[j][0] = fmaf(channel[i], w[i].x, sum[j][0]);
          sum[j][1] = fmaf(channel[i], w[i].y, sum[j][1]);
          sum[j][2] = fmaf(channel[i], w[i].z, sum[j][2]);
          sum[j][3] = fmaf(channel[i], w[i].w, sum[j][3]);
        }
      }
    }
  }

  __syncthreads();
#pragma unroll
  for (int j = 0; j < kOwnPixels; ++j) {
    *reinterpret_cast<float4*>(shared + (j * (kPixels / kOwnPixels) + pixel) * kColumns +
                               column) = {sum[j][0], sum[j][1], sum[j][2], sum[j][3]};
  }
  __syncthreads();
  // One copy of the epilogue, and neighbouring lanes write neighbouring channels.
  const int own = threadIdx.x % kColumns, k = (first_column + own) % K;
  const int tap = (first_column + own) / K, r = tap / S, s = tap % S;
  if (first_column + own >= a.columns) return;
  const float bias = a.bias != nullptr ? a.bias[k] : 0;
  const float slope = a.slope != nullptr ? a.slope[a.shared_slope ? 0 : k] : 0;
  for (int i = threadIdx.x / kColumns; i < kPixels; i += kThreads / kColumns) {
    if (first_pixel + i >= a.pixels) return;
    const Place at(first_pixel + i, a.x.shape);
    pixel_of(a.y, at.n, at.h * a.weight.shape.h + r, at.w * S + s)[k] =
        activate(a.activation, shared[i * kColumns + own] + bias, slope);
  }
}

}  // namespace

void launch_conv_transpose2d_tiled(const CudaConvTranspose2dCall& call) {
  const Shape& weight = call.weight.shape();
  const int columns = weight.n * weight.h * weight.w;
  const std::int64_t pixels = call.x.shape().pixels();
  const dim3 blocks(static_cast<unsigned>((pixels + kPixels - 1) / kPixels),
                    static_cast<unsigned>((columns + kColumns - 1) / kColumns));
  tiled<<<blocks, kThreads, 0, call.stream>>>(
      {call.activation, call.x.view<const float>(), call.weight.view<const float>(),
       call.bias.view<const float>().data, call.slope.view<const float>().data,
       call.slope.shape().c == 1, call.y.view<float>(), columns, pixels});
  cuda_check(cudaGetLastError(), "conv_transpose2d/cuda_tiled");
}

}  // namespace mend
