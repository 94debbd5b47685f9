// 3x3 convolution in f32 by Winograd's F(4x4,3x3): exact products, a quarter of them.
//
// What limits cuda_tiled: FMA units. Rungs on tensor cores do ten times as many, in TF32, whose 11 significant bits
// cost 3e-4 of the result; where f32 shall stay f32, and on GPUs without TF32, fewer products are all that helps.
// Lavin & Gray 2016, arXiv:1509.09308, with the CPU's matrices (winograd_weight.h): 36 products in place of 144.
//
//   x, two squares of 16x16 outputs     V = Bt d B, 36 positions           U, packed, from L2
//   ┌───────┐ ┌───────┐  cp.async,      ┌──────────────┐                   ┌──────────────┐
//   │ 18x18 │ │ 18x18 │  8 channels     │ [36][8][32]  │ 8 channels        │ [C][36][32]  │ 32 outputs
//   └───────┘ └───────┘  at a time      └──────────────┘ 32 tiles of 4x4   └──────────────┘
//        20 KB  └── 12 warps, 2 rows ──▶     36 KB              └──── warp w ────┘
//                   of V a thread                       positions 3w .. 3w+2: M += V·U, 96 sums a thread
//   M -> shared memory, 8 outputs at a time (where V was) -> y = At M A, bias, activation, residual -> y
//
//   - All 36 positions of a tile must meet in At M A, so a block keeps them all: 36 x 32 tiles x 32 outputs are 36,864
//     sums, 96 in each of 384 threads (168 registers, all that so many threads may have; one block a multiprocessor,
//     three warps a scheduler). Neither V nor M ever lies in global memory. Twice as many sums do not fit; fewer tiles, and
//     U, of which a block reads all for its outputs, would be the limit: T tiles do T/2 FLOPs for a byte of U, 16 here,
//     and an H100 has 12 of f32 for a byte of its L2.
//   - A lane has 4 tiles x 8 outputs of each position: 16 bytes of V from shared memory and 32 of U for 32 FMAs. Only one
//     warp reads a position's U: it comes straight into registers, one channel ahead, which is 315 cycles, an L2's latency.
//     Lanes that share an address are neighbours, or two apart, so that 16-byte reads are served in two wavefronts,
//     not four: one for every four of the multiprocessor's cycles of FMAs.
//   - V: 8 neighbouring lanes have a pixel's 8 channels, which is a sector, four times side by side. Tiles are 4 pixels
//     apart, so pixels are rotated within fours (place_of), and fours of tiles are exchanged by the channel: every read
//     and every write touches all banks once. A thread makes two rows of V, ±1, ±2 or 0 and ∞: a pair ± shares what it
//     reads and its sums, and 24 warps' worth of work are two for each of 12.
//   - The next channels come while these are multiplied; cp.async where there is one, so that it runs from 7.5 on.
//
// An output is the sum of 36 chains over c: its bits depend on all pixels of its square of 4x4, which is counted from the
// image's first pixel on (Conv2dKernel::tile), and not on where the block lies.
//
// Next ideas: half as many tiles, and two blocks a multiprocessor, for images that have fewer squares than the GPU
// multiprocessors; thread block clusters that share U; the first channels of the next squares under the epilogue.
#include "engine/cuda/check.h"
#include "kernels/conv2d/cuda_winograd4_output.cuh"
#include "kernels/conv2d/winograd_weight.h"
#include "kernels/cuda/launch.h"

namespace mend {
namespace conv2d_winograd4 {
namespace {

__global__ void __launch_bounds__(kThreads, 1) winograd4(Arguments a) {
  extern __shared__ __align__(16) float shared[];
  float* const patch = shared;
  float* const V = shared + kPixels * kChunk;
  const float** const pixels = reinterpret_cast<const float**>(V + kVFloats);
  const int lane = threadIdx.x % 32, position = threadIdx.x / 32 * kWarpPositions;
  const int k_block = blockIdx.x % a.blocks_along_k;
  const int first_square = blockIdx.x / a.blocks_along_k * kSquares;

  const LaneShare share(lane);
  constexpr int kChannelFloats = kPositions * kBlock;  // of U
  const float* from = a.weight + std::int64_t{k_block} * a.chunks * kChunk * kChannelFloats +
                      position * kBlock + share.outputs * 4;

  find_pixels(a, first_square, pixels);
  __syncthreads();
  load_patch(a, pixels, 0, patch);
  Weights u;
#pragma unroll
  for (int i = 0; i < kWarpPositions * 2; ++i) u[i / 2][i % 2] = load_weights(from, i / 2, i % 2);
  Sums sum = {};
#pragma unroll 1
  for (int chunk = 0; chunk < a.chunks; ++chunk) {
    wait_until_brought();
    __syncthreads();  // the patch is there, for all; and V is used up
    transform(patch, V);
    __syncthreads();  // V is there, and the patch used up
    const bool is_last = chunk + 1 == a.chunks;
    if (!is_last) load_patch(a, pixels, chunk + 1, patch);
    multiply(V + position * kChunk * kTiles, share.tiles * kLaneTiles, is_last, from, u, sum);
  }
#pragma unroll 1  // one copy of the epilogue
  for (int pass = 0; pass < kPasses; ++pass) {
    __syncthreads();  // nobody reads V, or the products of the pass before, any more
    share_sums(sum, share, position, pass, V);
    __syncthreads();
    finish_pass(a, first_square, k_block, pass, V);
  }
}

constexpr const char* kName = "conv2d/cuda_winograd4";

/// weight [K,3,3,C] -> packed, as cuda.h says.
__global__ void pack(View<const float> weight, WinogradG<kPatch> G, int channels, int count,
                     float* packed) {
  const int at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= count) return;
  const int column = at % kBlock, position = at / kBlock % kPositions;
  const int c = at / (kBlock * kPositions) % channels,
            k_block = at / (kBlock * kPositions) / channels;
  const int k =
      k_block * kBlock + column / 16 * 16 + column % 4 / 2 * 8 + column % 16 / 4 * 2 + column % 2;
  double g[3][3] = {};
  if (k < weight.shape.n && c < weight.shape.c) {
    for (int r = 0; r < 3; ++r)
      for (int s = 0; s < 3; ++s) g[r][s] = pixel_of(weight, k, r, s)[c];
  }
  packed[at] = static_cast<float>(winograd_weight(G, g, position / kPatch, position % kPatch));
}

}  // namespace
}  // namespace conv2d_winograd4

void launch_conv2d_winograd4(const CudaConv2dCall& call) {
  using namespace conv2d_winograd4;
  Arguments a{};
  a.op = call.parameters;
  a.x = call.x.view<const float>();
  a.residual = call.residual.view<const float>();
  a.weight = call.weight.view<const float>().data;
  a.bias = call.bias.view<const float>().data;
  a.slope = call.slope.view<const float>().data;
  a.y = call.y.view<float>();
  a.x_packs = packs(a.x);
  a.chunks = divide_up(a.x.shape.c, kChunk);
  a.blocks_along_k = divide_up(a.y.shape.c, kBlock);
  a.squares_along_q = divide_up(a.y.shape.w, kSide);
  a.squares_along_p = divide_up(a.y.shape.h, kSide);
  a.squares = a.y.shape.n * a.squares_along_p * a.squares_along_q;
  cuda_check(
      cudaFuncSetAttribute(winograd4, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes),
      kName);
  const int blocks = divide_up(a.squares, kSquares) * a.blocks_along_k;
  winograd4<<<blocks, kThreads, kSharedBytes, call.stream>>>(a);
  cuda_check(cudaGetLastError(), kName);
}

void launch_conv2d_winograd4_pack(const CudaConv2dPacking& packing) {
  using namespace conv2d_winograd4;
  const int count = static_cast<int>(packing.packed.shape().elements());
  constexpr int kPackThreads = 256;
  pack<<<divide_up(count, kPackThreads), kPackThreads, 0, packing.stream>>>(
      packing.weight.view<const float>(), kWinogradG4, packing.packed.shape().h, count,
      packing.packed.view<float>().data);
  cuda_check(cudaGetLastError(), kName);
}

}  // namespace mend
