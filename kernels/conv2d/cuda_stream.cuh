// 3x3 convolution on tensor cores: an implicit GEMM with f32 sums, of f32 in TF32 (cuda_tf32.cu), of f16 and
// bf16 (cuda_f16.cu).
//
// What limits cuda_tiled: shared memory, and FMA units with a tenth of what tensor cores do in TF32. Their
// price is precision: x and the weights are rounded to 11 significant bits, about 3e-4 of the result. What
// limits cuda_mma is waiting: a block asks for a patch, waits, multiplies and leaves.
//
// As in cuda_mma, the patch of x that a tile sees lies in shared memory, and row h of it at shift s is
// loaded once and multiplied with the weights of all three r (cuda_mma.cu has the figure). What differs:
//
//   - cuda_tf32 trains: batches of small images, 24 to 64 channels. So there are tiles of 256, 128 and 64
//     pixels, and of 8 to 64 outputs; a model (cuda_stream_plan.cpp) chooses, by how the tiles fill the GPU.
//     The 16 pixels of an mma are two runs of 8: side by side, or, in narrow tiles, kRows rows apart, so
//     that images that are 8 wide waste nothing and each row of the patch still serves three r.
//
//            wide:  0 1 2 3 4 5 6 7 8 9 . . . . . .      narrow:  0 1 2 3 4 5 6 7   row h
//                                                                 8 9 . . . . . .   row h + kRows
//
//   - The work of a block is a sequence of items: 128 bytes of channels of a tile. While one is multiplied, the patch
//     of the next comes by cp.async, the next tile's too: one barrier an item (with 64 channels and outputs
//     and 256 pixels: 4608 mma), and the sums leave while the next patch arrives.
//   - Weights come with the item. Blocks are persistent and keep their outputs: with up to two items, all of
//     their weights are there after the first tile and stay.
//   - Weights are packed as the matrices that ldmatrix reads, 8 outputs x 16 bytes, rounded to TF32:
//     [C/8][K/8][S][R][2][8][4]. 8 outputs are the unit, so that a block may have any number of them. x is
//     rounded when it is in registers: 4 conversions for 3·kColumns mma. In f16 they are
//     [C/16][K/8][S][R][2][8][8]: to ldmatrix, and in the registers of an mma, two f16 are what one f32 is.
//   - The 8 sums of a quad of lanes are one sector of f32, and half of one of f16. So there groups of 8
//     outputs come in pairs, dealt out so that a lane has 4 neighbours and a quad 16:
//
//         outputs of a pair    0 1   2 3   4 5   6 7   8 9   10 11   12 13   14 15
//         group (columns)      0 (0 1)     0 (2 3)     0 (4 5)       0 (6 7)
//                                    1 (0 1)     1 (2 3)     1 (4 5)         1 (6 7)
//
//     They are stored from the registers.
//
// Every output is one chain of mma in the order c, s, r: its bits depend neither on the tile nor on where it
// lies.
//
// Next ideas: first layers, 3 channels, with the taps beside each other in the depth of one mma; wgmma.
#pragma once

#include <algorithm>

#include "engine/cuda/check.h"
#include "kernels/conv2d/cuda_stream_epilogue.cuh"
#include "kernels/conv2d/cuda_stream_tile.cuh"
#include "kernels/cuda/launch.h"

namespace mend {
namespace conv2d_stream {

template <class Tile>
__global__ void __launch_bounds__(Tile::kThreads, 1)
    stream_3x3(Arguments<typename Tile::Number> a) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  extern __shared__ __align__(128) char shared[];
  const std::uint32_t patches = shared_address(shared);
  const int patch_bytes = a.patch_pixels * kStreamPixelBytes;
  const int row_bytes = a.patch_columns * kStreamPixelBytes;
  const std::uint32_t slots = patches + 2 * patch_bytes;

  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int warp_row = warp / Tile::kWarpsK * a.warp_rows;
  const int warp_group = warp % Tile::kWarpsK * Tile::kColumns;
  // From the patch to what this lane reads of the warp's first row.
  const int reads_at =
      warp_row * row_bytes +
      lane / 8 % 2 * (a.half_rows * row_bytes + a.half_columns * kStreamPixelBytes);
  const int k_block = blockIdx.x % a.blocks_along_k;
  const int step = gridDim.x / a.blocks_along_k;
  const int first_tile = blockIdx.x / a.blocks_along_k;
  const int k = k_block * Tile::kBlock + warp_group * 8 + lane % 4 * Tile::kRun;

  load_patch<Tile>(a, origin_of(a, first_tile), 0, patches);
  load_weights<Tile>(a, k_block, 0, slots);
  commit_copies();
  int buffer = 0;
  for (int tile = first_tile; tile < a.tiles; tile += step) {
    float sum[Tile::kRows][Tile::kColumns][4];
#pragma unroll
    for (int j = 0; j < Tile::kColumns; ++j) {
      const int channel = k + Tile::channel(j);
      const bool biased = a.bias != nullptr;
      const float even = biased && channel < a.y.shape.c ? a.bias[channel] : 0;
      const float odd = biased && channel + 1 < a.y.shape.c ? a.bias[channel + 1] : 0;
#pragma unroll
      for (int row = 0; row < Tile::kRows; ++row) {
        sum[row][j][0] = sum[row][j][2] = even;
        sum[row][j][1] = sum[row][j][3] = odd;
      }
    }
#pragma unroll 1
    for (int chunk = 0; chunk < a.chunks; ++chunk) {
      wait_for_copies<0>();
      __syncthreads();  // the item is there, for all; and the one before it is used up
      const bool is_last = chunk + 1 == a.chunks;
      const int next_tile = is_last ? tile + step : tile, next_chunk = is_last ? 0 : chunk + 1;
      const int slot_bytes = kDepthsOfChunk * Tile::kDepthBytes;
      if (next_tile < a.tiles) {
        load_patch<Tile>(a, origin_of(a, next_tile), next_chunk,
                         patches + (buffer ^ 1) * patch_bytes);
        if (a.chunks > 2 || (tile == first_tile && !is_last)) {
          load_weights<Tile>(a, k_block, next_chunk, slots + (buffer ^ 1) * slot_bytes);
        }
        commit_copies();
      }
      const std::uint32_t patch = patches + buffer * patch_bytes + reads_at;
      std::uint32_t weights =
          slots + (a.chunks > 1 ? buffer * slot_bytes : 0) + warp_group * kStreamGroupBytes;
      const int end = min(kDepthsOfChunk, a.depths - chunk * kDepthsOfChunk);
#pragma unroll 1
      for (int depth = 0; depth < end; ++depth) {
#pragma unroll
        for (int s = 0; s < kTaps; ++s) {
          multiply<Tile>(patch, row_bytes, weights + s * kShiftBytes, depth * 2, s, lane, sum);
        }
        weights += Tile::kDepthBytes;
      }
      buffer ^= 1;
    }
    const Origin origin = origin_of(a, tile);
    const Share share{origin.n, origin.p + warp_row, origin.q + lane / 4, k};
    const bool finishes = is_a_slope(a.op.activation.kind);
    store_sums<Tile>(a, share, finishes, sum);
    if (!finishes) finish_stored<Tile>(a, share);
  }
#endif
}

template <class Tile>
void launch(const CudaConv2dCall& call, const CudaStreamTile& tile, const char* name) {
  using T = typename Tile::Number;
  Arguments<T> a{};
  a.op = call.parameters;
  a.x = call.x.view<const T>();
  a.residual = call.residual.view<const T>();
  a.weight = call.weight.view<const T>().data;
  a.bias = call.bias.view<const float>().data;
  a.slope = call.slope.view<const float>().data;
  a.y = call.y.view<T>();
  a.x_packs = packs(a.x);
  a.y_runs = runs<Tile::kRun>(a.y);
  a.residual_runs = runs<Tile::kRun>(a.residual);
  a.depths = divide_up(a.x.shape.c, Tile::kDepth);
  a.chunks = divide_up(a.x.shape.c, Tile::kChunk);
  a.groups = stream_groups(a.y.shape.c, sizeof(T));
  a.tile_rows = tile.tile_rows();
  a.tile_columns = tile.columns();
  a.blocks_along_k = divide_up(a.y.shape.c, Tile::kBlock);
  a.tiles_along_q = divide_up(a.y.shape.w, a.tile_columns);
  a.tiles_along_p = divide_up(a.y.shape.h, a.tile_rows);
  a.tiles = a.y.shape.n * a.tiles_along_p * a.tiles_along_q;
  a.patch_columns = a.tile_columns + kTaps - 1;
  a.patch_pixels = tile.patch_pixels();
  a.column_reciprocal = (1 << 16) / a.patch_columns + 1;
  a.warp_rows = tile.narrow ? 2 * Tile::kRows : Tile::kRows;
  a.half_rows = tile.narrow ? Tile::kRows : 0;
  a.half_columns = tile.narrow ? 0 : 8;

  const auto kernel = stream_3x3<Tile>;
  const std::size_t bytes = tile.shared_bytes(a.x.shape.c, sizeof(T));
  cuda_check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  static_cast<int>(bytes)),
             name);
  int resident = 0;
  cuda_check(
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel, Tile::kThreads, bytes),
      name);
  // As many as fit at once, and all with the same number of tiles, but for the last.
  const int most = std::max(1, std::max(1, resident) * call.multiprocessors / a.blocks_along_k);
  const int blocks = divide_up(a.tiles, divide_up(a.tiles, most)) * a.blocks_along_k;
  kernel<<<blocks, Tile::kThreads, bytes, call.stream>>>(a);
  cuda_check(cudaGetLastError(), name);
}

/// Sixteen bytes of channels of one output and tap a thread. Neighbouring threads take 8 outputs, then the
/// other half of an mma's channels: whole sectors of both.
template <class T>
__global__ void pack(View<const float> weight, bool weight_packs, int groups, int count,
                     Pack<T>* packed) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  const int at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= count) return;
  int rest = at;
  const auto next = [&rest](int extent) {
    const int index = rest % extent;
    rest /= extent;
    return index;
  };
  constexpr int kUnit = Pack<T>::kCount;
  const int column = next(8), half = next(2), r = next(kTaps), s = next(kTaps);
  const int group = next(groups), c = rest * stream_depth(sizeof(T)) + half * kUnit;
  const bool is_pair = sizeof(T) == 2 && groups > 1;
  const int k =
      is_pair ? group / 2 * 16 + column / 2 * 4 + group % 2 * 2 + column % 2 : group * 8 + column;
  float numbers[kUnit] = {};
  if (k < weight.shape.n) {
    const float* from = pixel_of(weight, k, r, s) + c;
    if (weight_packs && c + kUnit <= weight.shape.c) {
#pragma unroll
      for (int j = 0; j < kUnit; j += 4) {
        const auto four = *reinterpret_cast<const Pack<float>*>(from + j);
#pragma unroll
        for (int i = 0; i < 4; ++i) numbers[j + i] = four.values[i];
      }
    } else {
#pragma unroll
      for (int j = 0; j < kUnit; ++j) numbers[j] = c + j < weight.shape.c ? from[j] : 0;
    }
  }
  Pack<T> pack;
#pragma unroll
  for (int j = 0; j < kUnit; ++j) {
    if constexpr (sizeof(T) == 4) {
      pack.values[j] = __uint_as_float(to_tf32(__float_as_uint(numbers[j])));
    } else {
      pack.values[j] = from_float<T>(numbers[j]);
    }
  }
  packed[at] = pack;
#endif
}

template <class T>
void launch_pack(const CudaConv2dPacking& packing, const char* name) {
  const View<const float> weight = packing.weight.view<const float>();
  const int count = static_cast<int>(packing.packed.shape().elements()) / Pack<T>::kCount;
  constexpr int kPackThreads = 256;
  pack<T><<<divide_up(count, kPackThreads), kPackThreads, 0, packing.stream>>>(
      weight, packs(weight), stream_groups(weight.shape.n, sizeof(T)), count,
      reinterpret_cast<Pack<T>*>(packing.packed.view<T>().data));
  cuda_check(cudaGetLastError(), name);
}

/// The tile that the plan chooses on this GPU.
inline CudaStreamTile tile_of(const CudaConv2dCall& call, const char* name) {
  const CudaStreamLimits limits{call.multiprocessors,
                                static_cast<std::size_t>(most_shared_bytes(name))};
  const int number_bytes = static_cast<int>(size_of(call.x.dtype()));
  return conv2d_cuda_stream_plan(call.x.shape(), call.y.shape(), number_bytes, limits).tile;
}

}  // namespace conv2d_stream
}  // namespace mend
