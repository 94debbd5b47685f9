// 3x3 convolution of f32 on tensor cores: an implicit GEMM in TF32 with f32 sums.
//
// What limits cuda_tiled: shared memory, and FMA units with a tenth of what tensor cores do in TF32. Their
// price is precision: x and the weights are rounded to 11 significant bits, about 3e-4 of the result.
//
// As in cuda_mma, the patch of x that a tile sees lies in shared memory, and row h of it at shift s is
// loaded once and multiplied with the weights of all three r (cuda_mma.cu has the figure). What differs:
//
//   - This rung trains: batches of small images, 24 to 64 channels. So there are tiles of 256, 128 and 64
//     pixels, and of 8 to 64 outputs; a model (cuda_tf32_plan.cpp) chooses, by how the tiles fill the GPU.
//     The 16 pixels of an mma are two runs of 8: side by side, or, in narrow tiles, kRows rows apart, so
//     that images that are 8 wide waste nothing and each row of the patch still serves three r.
//
//            wide:  0 1 2 3 4 5 6 7 8 9 . . . . . .      narrow:  0 1 2 3 4 5 6 7   row h
//                                                                 8 9 . . . . . .   row h + kRows
//
//   - The work of a block is a sequence of items: 32 channels of a tile. While one is multiplied, the patch
//     of the next comes by cp.async, the next tile's too: one barrier an item (with 64 channels and outputs
//     and 256 pixels: 4608 mma), and the sums leave while the next patch arrives.
//   - Weights come with the item. Blocks are persistent and keep their outputs: with up to 64 channels, two
//     items, all of their weights are there after the first tile and stay.
//   - Weights are packed as the 8x4 matrices that ldmatrix reads, 128 bytes each, rounded to TF32:
//     [C/8][K/8][S][R][2][8][4]. 8 outputs are the unit, so that a block may have any number of them. x is
//     rounded when it is in registers: 4 conversions for 3·kColumns mma.
//   - In f32 the 8 sums of a quad of lanes are one sector: they are stored from the registers.
//
// Every output is one chain of mma in the order c, s, r: its bits depend neither on the tile nor on where it
// lies.
//
// Next ideas: first layers, 3 channels, with the taps beside each other in the depth of one mma; wgmma.
#include <algorithm>

#include "engine/cuda/check.h"
#include "kernels/conv2d/cuda_tf32_epilogue.cuh"
#include "kernels/conv2d/cuda_tf32_tile.cuh"
#include "kernels/cuda/launch.h"

namespace mend {
namespace conv2d_tf32 {
namespace {

template <class Tile>
__global__ void __launch_bounds__(Tile::kThreads, 1) tf32_3x3(Arguments a) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  extern __shared__ __align__(128) char shared[];
  const std::uint32_t patches = shared_address(shared);
  const int patch_bytes = a.patch_pixels * kTf32PixelBytes;
  const int row_bytes = a.patch_columns * kTf32PixelBytes;
  const std::uint32_t slots = patches + 2 * patch_bytes;

  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int warp_row = warp / Tile::kWarpsK * a.warp_rows;
  const int warp_group = warp % Tile::kWarpsK * Tile::kColumns;
  // From the patch to what this lane reads of the warp's first row.
  const int reads_at = warp_row * row_bytes +
                       lane / 8 % 2 * (a.half_rows * row_bytes + a.half_columns * kTf32PixelBytes);
  const int k_block = blockIdx.x % a.blocks_along_k;
  const int step = gridDim.x / a.blocks_along_k;
  const int first_tile = blockIdx.x / a.blocks_along_k;
  const int k = k_block * Tile::kBlock + warp_group * 8 + lane % 4 * 2;

  load_patch<Tile>(a, origin_of(a, first_tile), 0, patches);
  load_weights<Tile>(a, k_block, 0, slots);
  commit_copies();
  int buffer = 0;
  for (int tile = first_tile; tile < a.tiles; tile += step) {
    float sum[Tile::kRows][Tile::kColumns][4];
#pragma unroll
    for (int j = 0; j < Tile::kColumns; ++j) {
      const bool biased = a.bias != nullptr;
      const float even = biased && k + j * 8 < a.y.shape.c ? a.bias[k + j * 8] : 0;
      const float odd = biased && k + j * 8 + 1 < a.y.shape.c ? a.bias[k + j * 8 + 1] : 0;
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
          slots + (a.chunks > 1 ? buffer * slot_bytes : 0) + warp_group * kTf32GroupBytes;
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

constexpr const char* kName = "conv2d/cuda_tf32";

template <class Tile>
void launch(const CudaConv2dCall& call, const CudaTf32Tile& tile) {
  Arguments a{};
  a.op = call.parameters;
  a.x = call.x.view<const float>();
  a.residual = call.residual.view<const float>();
  a.weight = call.weight.view<const float>().data;
  a.bias = call.bias.view<const float>().data;
  a.slope = call.slope.view<const float>().data;
  a.y = call.y.view<float>();
  a.x_packs = packs(a.x);
  a.y_pairs = pairs(a.y);
  a.residual_pairs = pairs(a.residual);
  a.depths = divide_up(a.x.shape.c, kTf32Depth);
  a.chunks = divide_up(a.x.shape.c, kTf32Chunk);
  a.groups = divide_up(a.y.shape.c, 8);
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

  const auto kernel = tf32_3x3<Tile>;
  const std::size_t bytes = tile.shared_bytes(a.x.shape.c);
  cuda_check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  static_cast<int>(bytes)),
             kName);
  int resident = 0;
  cuda_check(
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel, Tile::kThreads, bytes),
      kName);
  // As many as fit at once, and all with the same number of tiles, but for the last.
  const int most = std::max(1, std::max(1, resident) * call.multiprocessors / a.blocks_along_k);
  const int blocks = divide_up(a.tiles, divide_up(a.tiles, most)) * a.blocks_along_k;
  kernel<<<blocks, Tile::kThreads, bytes, call.stream>>>(a);
  cuda_check(cudaGetLastError(), kName);
}

/// The blocks that cuda_tf32_plan.cpp may choose.
template <int kRows, int kWarpsP>
void launch(const CudaConv2dCall& call, const CudaTf32Tile& tile) {
  constexpr bool kIsLarge = kRows == 4, kIsSmall = kWarpsP == 2;
  if constexpr (kIsLarge || kIsSmall) {
    if (tile.block == 8) return launch<Tile<kRows, kWarpsP, 8>>(call, tile);
  }
  if constexpr (!kIsSmall) {
    if (tile.block == 48) return launch<Tile<kRows, kWarpsP, 48>>(call, tile);
    if (tile.block == 64) return launch<Tile<kRows, kWarpsP, 64>>(call, tile);
  }
  if (tile.block == 16) return launch<Tile<kRows, kWarpsP, 16>>(call, tile);
  if (tile.block == 24) return launch<Tile<kRows, kWarpsP, 24>>(call, tile);
  launch<Tile<kRows, kWarpsP, 32>>(call, tile);
}

/// Four channels of one output and tap a thread. Neighbouring threads take 8 outputs, then the other four
/// channels: whole sectors of both.
__global__ void pack(View<const float> weight, bool weight_packs, int groups, int count,
                     Pack<float>* packed) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  const int at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= count) return;
  int rest = at;
  const auto next = [&rest](int extent) {
    const int index = rest % extent;
    rest /= extent;
    return index;
  };
  const int output = next(8), half = next(2), r = next(kTaps), s = next(kTaps);
  const int k = next(groups) * 8 + output, c = rest * kTf32Depth + half * 4;
  Pack<float> pack{};
  if (k < weight.shape.n) {
    const float* from = pixel_of(weight, k, r, s) + c;
    if (weight_packs && c + 4 <= weight.shape.c) {
      pack = *reinterpret_cast<const Pack<float>*>(from);
    } else {
#pragma unroll
      for (int j = 0; j < 4; ++j) pack.values[j] = c + j < weight.shape.c ? from[j] : 0;
    }
  }
#pragma unroll
  for (float& number : pack.values) {
    number = __uint_as_float(to_tf32(__float_as_uint(number)));
  }
  packed[at] = pack;
#endif
}

}  // namespace
}  // namespace conv2d_tf32

void launch_conv2d_tf32(const CudaConv2dCall& call) {
  using namespace conv2d_tf32;
  const CudaTf32Limits limits{call.multiprocessors,
                              static_cast<std::size_t>(most_shared_bytes(kName))};
  const CudaTf32Tile tile = conv2d_cuda_tf32_plan(call.x.shape(), call.y.shape(), limits).tile;
  if (tile.rows == 4) return launch<4, 4>(call, tile);
  if (tile.warps_p == 4) return launch<2, 4>(call, tile);
  launch<2, 2>(call, tile);
}

void launch_conv2d_tf32_pack(const CudaConv2dPacking& packing) {
  using namespace conv2d_tf32;
  const View<const float> weight = packing.weight.view<const float>();
  const int count = static_cast<int>(packing.packed.shape().elements() / 4);
  constexpr int kPackThreads = 256;
  pack<<<divide_up(count, kPackThreads), kPackThreads, 0, packing.stream>>>(
      weight, packs(weight), divide_up(weight.shape.n, 8), count,
      reinterpret_cast<Pack<float>*>(packing.packed.view<float>().data));
  cuda_check(cudaGetLastError(), "conv2d/cuda_tf32: packing");
}

}  // namespace mend
