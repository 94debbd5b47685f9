// Convolution in f32 from tiles in shared memory.
//
// What limits the rung below: two loads an FMA, most of them of what a neighbour has just loaded. Here a
// block computes 8x8 pixels x 64 outputs: it brings the patch of x that they see and one row of taps into
// shared memory, 8 channels at a time, and each of its 128 threads keeps 8 pixels of a row x 4 outputs as
// sums in registers. For 4 channels a thread reads 8 + 4 float4 and does 128 FMAs with them: 10.7 an
// access of shared memory, where the naive rung does half a one per access of global memory.
//
//   16 threads side by side hold the 64 outputs of one row of pixels: they read one number of x, a
//   broadcast, and 256 neighbouring bytes of weights. The patch's rows are 4 floats longer than their
//   pixels, so that the two rows that a warp reads never lie in the same banks.
//
// Bound: shared memory still feeds each FMA unit with fewer numbers than it could take (on an H100, 128
// bytes a cycle for 128 FMAs); tensor cores (cuda_mma) want 16 times less.
#include <algorithm>

#include "engine/cuda/check.h"
#include "kernels/activation/activation.cuh"
#include "kernels/conv2d/cuda.h"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/launch.h"

namespace mend {
namespace {

constexpr int kTileRows = 8, kTileColumns = 8;  // pixels of y
constexpr int kTilePixels = kTileRows * kTileColumns;
constexpr int kBlock = 64;  // outputs
constexpr int kChunk = 8;   // channels at a time
constexpr int kOutputs = 4, kOutputThreads = kBlock / kOutputs;
constexpr int kThreads = kTileRows * kOutputThreads;

/// The extents of the patch of x that a tile sees, and where its rows lie.
struct Patch {
  int rows, columns, pitch;  // pitch: floats from row to row

  __host__ __device__ explicit Patch(const CudaConv2dParameters& op)
      : rows((kTileRows - 1) * op.stride + (op.kernel_h - 1) * op.dilation + 1),
        columns((kTileColumns - 1) * op.stride + (op.kernel_w - 1) * op.dilation + 1),
        pitch(columns * kChunk + 4) {}
  __host__ __device__ int floats() const { return rows * pitch; }
};

struct Arguments {
  CudaConv2dParameters op;
  View<const float> x, residual;
  const float *weight, *bias, *slope;  // weight: [R,S,C,whole blocks of K]
  View<float> y;
  int blocks_along_k, tiles_along_q, tiles_along_p;
};

/// Channels [first, first + kChunk) of what the tile at (p, q) sees, zeros where there is nothing.
__device__ void load_patch(const Arguments& a, const Patch& patch, int n, int p, int q, int first,
                           float* to) {
  for (int i = threadIdx.x; i < patch.rows * patch.columns * kChunk; i += kThreads) {
    const int c = i % kChunk, column = i / kChunk % patch.columns;
    const int row = i / (kChunk * patch.columns);
    const int h =
        source_index(p * a.op.stride + row - a.op.padding_h, a.x.shape.h, a.op.padding_mode);
    const int w =
        source_index(q * a.op.stride + column - a.op.padding_w, a.x.shape.w, a.op.padding_mode);
    // Where y ends before the tile, h and w may lie beyond x: then nobody needs the pixel.
    const bool inside =
        h >= 0 && w >= 0 && h < a.x.shape.h && w < a.x.shape.w && first + c < a.x.shape.c;
    to[row * patch.pitch + column * kChunk + c] = inside ? pixel_of(a.x, n, h, w)[first + c] : 0;
  }
}

/// Row r of the taps for the same channels: [S][kChunk][kBlock].
__device__ void load_taps(const Arguments& a, int r, int first, int k_block, float* to) {
  const int C = a.x.shape.c, K = a.blocks_along_k * kBlock;
  for (int i = threadIdx.x * 4; i < a.op.kernel_w * kChunk * kBlock; i += kThreads * 4) {
    const int k = i % kBlock, c = first + i / kBlock % kChunk, s = i / (kBlock * kChunk);
    const std::int64_t tap = std::int64_t{r} * a.op.kernel_w + s;
    const float* from = a.weight + (tap * C + c) * K + k_block * kBlock + k;
    *reinterpret_cast<float4*>(to + i) = c < C ? *reinterpret_cast<const float4*>(from) : float4{};
  }
}

__global__ void __launch_bounds__(kThreads) tiled(Arguments a) {
  extern __shared__ __align__(16) float shared[];
  const Patch patch(a.op);
  float* const x = shared;
  float* const taps = shared + patch.floats();
  float* const sums = shared;

  int tile = blockIdx.x;
  const int k_block = tile % a.blocks_along_k;
  tile /= a.blocks_along_k;
  const int q0 = tile % a.tiles_along_q * kTileColumns;
  tile /= a.tiles_along_q;
  const int p0 = tile % a.tiles_along_p * kTileRows, n = tile / a.tiles_along_p;
  const int output = threadIdx.x % kOutputThreads * kOutputs, row = threadIdx.x / kOutputThreads;

  float sum[kTileColumns][kOutputs] = {};
  for (int first = 0; first < a.x.shape.c; first += kChunk) {
    for (int r = 0; r < a.op.kernel_h; ++r) {
      __syncthreads();  // nobody reads the old ones any more
      if (r == 0) load_patch(a, patch, n, p0, q0, first, x);
      load_taps(a, r, first, k_block, taps);
      __syncthreads();
      for (int s = 0; s < a.op.kernel_w; ++s) {
        const float* pixels =
            x + (row * a.op.stride + r * a.op.dilation) * patch.pitch + s * a.op.dilation * kChunk;
        const float* tap = taps + s * kChunk * kBlock + output;
#pragma unroll
        for (int c = 0; c < kChunk; c += 4) {
          float4 w[4];
#pragma unroll
          for (int i = 0; i < 4; ++i)
            w[i] = *reinterpret_cast<const float4*>(tap + (c + i) * kBlock);
#pragma unroll
          for (int j = 0; j < kTileColumns; ++j) {
            const float4 v =
                *reinterpret_cast<const float4*>(pixels + j * a.op.stride * kChunk + c);
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
    }
  }

  __syncthreads();
#pragma unroll
  for (int j = 0; j < kTileColumns; ++j) {
    *reinterpret_cast<float4*>(sums + (row * kTileColumns + j) * kBlock + output) = {
        sum[j][0], sum[j][1], sum[j][2], sum[j][3]};
  }
  __syncthreads();
  // One copy of the epilogue, and neighbouring lanes write neighbouring channels.
  const int own = threadIdx.x % kBlock, k = k_block * kBlock + own;
  if (k >= a.y.shape.c) return;
  const float bias = a.bias != nullptr ? a.bias[k] : 0;
  const float slope = a.slope != nullptr ? a.slope[a.op.shared_slope ? 0 : k] : 0;
  for (int i = threadIdx.x / kBlock; i < kTilePixels; i += kThreads / kBlock) {
    const int p = p0 + i / kTileColumns, q = q0 + i % kTileColumns;
    if (p >= a.y.shape.h || q >= a.y.shape.w) continue;
    float y = a.op.scale * activate(a.op.activation, sums[i * kBlock + own] + bias, slope);
    if (a.residual.data != nullptr) y += pixel_of(a.residual, n, p, q)[k];
    pixel_of(a.y, n, p, q)[k] = y;
  }
}

__global__ void pack(View<const float> weight, int K, std::int64_t count, float* packed) {
  const std::int64_t at = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (at >= count) return;
  const int R = weight.shape.h, S = weight.shape.w, C = weight.shape.c;
  const int k = static_cast<int>(at % K), c = static_cast<int>(at / K % C);
  const int s = static_cast<int>(at / K / C % S), r = static_cast<int>(at / K / C / S % R);
  packed[at] = k < weight.shape.n ? pixel_of(weight, k, r, s)[c] : 0;
}

}  // namespace

std::size_t conv2d_cuda_tiled_shared_bytes(const CudaConv2dParameters& parameters) {
  const std::int64_t main =
      Patch(parameters).floats() + std::int64_t{parameters.kernel_w} * kChunk * kBlock;
  return static_cast<std::size_t>(std::max<std::int64_t>(main, kTilePixels * kBlock)) *
         sizeof(float);
}

void launch_conv2d_tiled(const CudaConv2dCall& call) {
  Arguments a{call.parameters,
              call.x.view<const float>(),
              call.residual.view<const float>(),
              call.weight.view<const float>().data,
              call.bias.view<const float>().data,
              call.slope.view<const float>().data,
              call.y.view<float>()};
  a.blocks_along_k = divide_up(a.y.shape.c, kBlock);
  a.tiles_along_q = divide_up(a.y.shape.w, kTileColumns);
  a.tiles_along_p = divide_up(a.y.shape.h, kTileRows);
  const int blocks = a.y.shape.n * a.tiles_along_p * a.tiles_along_q * a.blocks_along_k;
  tiled<<<blocks, kThreads, conv2d_cuda_tiled_shared_bytes(call.parameters), call.stream>>>(a);
  cuda_check(cudaGetLastError(), "conv2d/cuda_tiled");
}

void launch_conv2d_tiled_pack(const CudaConv2dPacking& packing) {
  const std::int64_t count = packing.packed.shape().elements();
  constexpr int kPackThreads = 256;
  pack<<<static_cast<unsigned>((count + kPackThreads - 1) / kPackThreads), kPackThreads, 0,
         packing.stream>>>(packing.weight.view<const float>(), packing.packed.shape().c, count,
                           packing.packed.view<float>().data);
  cuda_check(cudaGetLastError(), "conv2d/cuda_tiled: packing");
}

}  // namespace mend
