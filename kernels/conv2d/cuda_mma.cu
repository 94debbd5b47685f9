// 3x3 convolution of f16 or bf16 on tensor cores: an implicit GEMM with f32 sums.
//
// What limits the rung below: FMAs, and the two numbers that each of them wants from shared memory.
// A tensor core does 2048 of them an instruction, and then shared memory alone would be the limit: a GEMM
// of im2col's patches reads each pixel nine times. Here:
//
//   - A block computes 12x16 pixels x kBlock outputs. The patch of x that they see, 14x18 pixels with 64
//     channels, comes into shared memory once, by cp.async, with zeros beyond the borders. All nine taps
//     read it there: tap (r,s) is the same patch, r rows and s columns further on.
//
//                   s ->      one mma's 16 rows are 16 neighbouring pixels of a row.
//            . . . . . . .    A warp owns kRows rows of pixels. It loads row h of the patch at shift s
//          r . x x x x x .    once and multiplies it with the weights of all three r: it is input
//          | . x x x x x .    row 0 of output row h, 1 of h-1, and 2 of h-2. So 12 rows of pixels take
//          v . x x x x x .    14 loads for their 36 products, not 36.
//            . . . . . . .
//
//     Per 16 channels and shift s, a warp with 12 rows and 32 outputs does 144 mma with 14 loads of x and 6
//     of weights: 589824 FLOPs for 80 wavefronts of 128 bytes, 7373 a wavefront. An H100's SM does 4270 dense
//     FLOPs a cycle in which shared memory gives one wavefront: that leaves 40% of it for what comes and goes.
//     The price is 192 sums and 24 weights a thread, 252 of 255 registers. (Four warps of 6 rows: 168
//     registers, but shared memory was the limit, at 1.3 times the tensor cores' time.)
//   - Tiles are counted down strips of y that are 16 pixels wide, and do not end with them: behind the last row of a
//     strip, and one of zeros, the next strip begins, that of the next image too. So no tile but the last is
//     partly empty: 128 rows are not 11 tiles for each strip, but 86 for 8 strips.
//   - The patch is swizzled: 16-byte unit u of column w lies at u ^ (w % 8). Eight lanes that read one unit
//     of eight neighbouring columns (ldmatrix), or write eight units of one pixel (cp.async), touch all
//     banks once.
//   - Weights are packed as the 8x8 matrices that ldmatrix reads, 128 bytes each, in the order of use: they
//     stream through a ring of four stages (one shift s, 16 channels, three r), 6 KB each.
//   - Blocks are persistent: as many as fit on the GPU, and each takes every so-manieth tile. Where there
//     are many tiles and all weights fit (64 -> 64: 72 KB), they stay: a tile then asks L2 for 57 KB, not
//     for 130, and its products run without a barrier.
//   - The sums leave through shared memory, where the patch was: so y and the residual move 16 bytes a lane,
//     whole sectors, and one loop applies the epilogue instead of 192 copies of it.
//
// Every output is one chain of mma in the order c, s, r: its bits do not depend on where it lies.
//
// Two layers in one kernel: kernels/conv2d_pair.
//
// Next ideas: the next tile's patch under this tile's epilogue; first layers, 3 channels, with the taps beside
// each other in the depth of one mma; wgmma.
#include <algorithm>

#include "engine/cuda/check.h"
#include "kernels/conv2d/cuda_mma_epilogue.cuh"
#include "kernels/conv2d/cuda_mma_tile.cuh"
#include "kernels/cuda/launch.h"

namespace mend {
namespace conv2d_mma {
namespace {

template <class T, class Tile>
__global__ void __launch_bounds__(kThreads) mma_3x3(Arguments<T> a) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  extern __shared__ __align__(128) char shared[];
  char* const patch = shared;
  float* const sums = reinterpret_cast<float*>(patch);
  const std::uint32_t first_slot = shared_address(shared + kPatchBytes);
  const std::uint32_t end_of_slots = first_slot + a.slots * Tile::kStageBytes;
  const auto slot_after = [=](std::uint32_t slot) {
    slot += Tile::kStageBytes;
    return slot == end_of_slots ? first_slot : slot;
  };

  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int warp_along_p = warp / Tile::kWarpsAlongK;
  const int warp_output = warp % Tile::kWarpsAlongK * Tile::kOutputs;
  const int stages = (a.x.shape.c + kDepth - 1) / kDepth * kTaps;

  if (a.weights_stay) {
    const char* from = reinterpret_cast<const char*>(a.weight);
    for (std::uint32_t slot = first_slot; slot != end_of_slots; slot += Tile::kStageBytes) {
      load_stage<Tile::kStageBytes, kThreads>(from, slot);
      from += Tile::kStageBytes;
    }
  }
  for (int tile = blockIdx.x; tile < a.tiles; tile += gridDim.x) {
    const Origin origin = origin_of(a, tile);
    float sum[Tile::kRows][Tile::kColumns][4];
#pragma unroll
    for (int j = 0; j < Tile::kColumns; ++j) {
      const int k = origin.k_block * Tile::kBlock + warp_output + j * 8 + lane % 4 * 2;
      const bool biased = a.bias != nullptr;
      const float even = biased && k < a.y.shape.c ? a.bias[k] : 0;
      const float odd = biased && k + 1 < a.y.shape.c ? a.bias[k + 1] : 0;
#pragma unroll
      for (int row = 0; row < Tile::kRows; ++row) {
        sum[row][j][0] = sum[row][j][2] = even;
        sum[row][j][1] = sum[row][j][3] = odd;
      }
    }

    // What has not been asked for yet, and where it goes.
    int left = stages;
    const char* from = reinterpret_cast<const char*>(a.weight) +
                       std::int64_t{origin.k_block} * stages * Tile::kStageBytes;
    std::uint32_t next_slot = first_slot;
    const auto load_next = [&] {
      if (left > 0) load_stage<Tile::kStageBytes, kThreads>(from, next_slot);
      --left;
      from += Tile::kStageBytes;
      next_slot = slot_after(next_slot);
      commit_copies();
    };

    load_patch(a, origin, 0, patch);
    if (a.weights_stay) {
      commit_copies();
      wait_for_copies<0>();
      __syncthreads();
    } else {
      for (int stage = 0; stage < kStages - 1; ++stage) load_next();
    }
    std::uint32_t slot = first_slot;
    for (int c = 0; c < a.x.shape.c; c += kDepth) {
      const int unit = c % kChunk / 8;
#pragma unroll 1
      for (int s = 0; s < kTaps; ++s) {
        if (!a.weights_stay) {
          if (unit == 0 && s == 0 && c > 0) {
            __syncthreads();  // nobody reads the old channels any more
            load_patch(a, origin, c, patch);
            commit_copies();
            wait_for_copies<0>();
          } else {
            wait_for_copies<kStages - 2>();
          }
          __syncthreads();  // the stage is there, for all; and the one before it is used up
          load_next();
        }
        multiply<T, Tile>(shared_address(patch) + warp_along_p * Tile::kRows * kRowBytes,
                          slot + warp_output / 8 * 256, unit, s, lane, sum);
        slot = slot_after(slot);
      }
    }

    const bool activates_sums = !is_a_slope(a.op.activation.kind);
#pragma unroll 1  // one copy of the epilogue
    for (int pass = 0; pass < Tile::kPasses; ++pass) {
      __syncthreads();  // nobody reads the patch, or the sums of the pass before, any more
#pragma unroll
      for (int row = 0; row < Tile::kRows; ++row) {
        if (row / Tile::kPassRows != pass) continue;
        const int pixel =
            (warp_along_p * Tile::kPassRows + row % Tile::kPassRows) * kTileColumns + lane / 4;
        float* to = sums + pixel * Tile::kSumStride + warp_output + lane % 4 * 2;
#pragma unroll
        for (int j = 0; j < Tile::kColumns; ++j) {
          const float(&z)[4] = sum[row][j];
          *reinterpret_cast<float2*>(to + j * 8) = {z[0], z[1]};
          *reinterpret_cast<float2*>(to + j * 8 + 8 * Tile::kSumStride) = {z[2], z[3]};
        }
      }
      __syncthreads();
      if (activates_sums) {
        activate_sums<T, Tile>(a, sums);
        __syncthreads();
      }
      finish<T, Tile>(a, origin, pass, sums, activates_sums);
    }
    __syncthreads();  // the next tile's patch comes here
  }
#endif
}

constexpr const char* kName = "conv2d/cuda_mma";

template <class T, class Tile>
void launch(const CudaConv2dCall& call) {
  Arguments<T> a{};
  a.op = call.parameters;
  a.x = call.x.view<const T>();
  a.residual = call.residual.view<const T>();
  a.weight = call.weight.view<const T>().data;
  a.bias = call.bias.view<const float>().data;
  a.slope = call.slope.view<const float>().data;
  a.y = call.y.view<T>();
  a.x_packs = packs(a.x);
  a.y_packs = packs(a.y);
  a.residual_packs = packs(a.residual);
  a.blocks_along_k = divide_up(a.y.shape.c, Tile::kBlock);
  a.strips_along_q = divide_up(a.y.shape.w, kTileColumns);
  // Between two strips lie the rows of padding that the last rows of one see and the first of the next: one row
  // where both are zeros, else two.
  const bool end_in_zeros = a.op.padding_mode == PaddingMode::kZeros && a.op.padding_h > 0 &&
                            a.y.shape.h + 1 - a.op.padding_h >= a.x.shape.h;
  const int between = end_in_zeros ? 1 : 2;
  a.strip_rows = a.y.shape.h + between;
  const int rows = a.y.shape.n * a.strips_along_q * a.strip_rows - between;
  a.tiles = divide_up(rows, kTileRows) * a.blocks_along_k;

  const int stages = divide_up(a.x.shape.c, kDepth) * kTaps;
  const int bytes_with_all = kPatchBytes + stages * Tile::kStageBytes;
  // Two blocks on a multiprocessor, two tiles for each: from there on the weights are worth their place.
  a.weights_stay = a.x.shape.c <= kChunk && a.blocks_along_k == 1 &&
                   bytes_with_all <= most_shared_bytes(kName) &&
                   a.tiles >= 4 * call.multiprocessors;
  a.slots = a.weights_stay ? stages : kStages;
  const int bytes = kPatchBytes + a.slots * Tile::kStageBytes;

  const auto kernel = mma_3x3<T, Tile>;
  cuda_check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
             kName);
  int resident = 0;
  cuda_check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel, kThreads, bytes),
             kName);
  // As many as fit at once, and all with the same number of tiles, but for the last.
  const int most = std::max(1, resident) * call.multiprocessors;
  const int blocks = divide_up(a.tiles, divide_up(a.tiles, most));
  kernel<<<blocks, kThreads, bytes, call.stream>>>(a);
  cuda_check(cudaGetLastError(), kName);
}

template <class T>
void launch(const CudaConv2dCall& call) {
  if (conv2d_cuda_mma_block(call.y.shape().c) == 16) return launch<T, Tile<16>>(call);
  launch<T, Tile<64>>(call);
}

template <class T>
__global__ void pack(View<const float> weight, int block, int depths, std::int64_t count,
                     T* packed) {
  const std::int64_t at = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (at >= count) return;
  std::int64_t rest = at;
  const auto next = [&rest](int extent) {
    const int index = static_cast<int>(rest % extent);
    rest /= extent;
    return index;
  };
  const int channel = next(8), output = next(8), half = next(2), group = next(block / 8);
  const int r = next(kTaps), s = next(kTaps), depth = next(depths);
  const int k = static_cast<int>(rest) * block + group * 8 + output;
  const int c = depth * kDepth + half * 8 + channel;
  const bool inside = k < weight.shape.n && c < weight.shape.c;
  packed[at] = from_float<T>(inside ? pixel_of(weight, k, r, s)[c] : 0);
}

template <class T>
void launch(const CudaConv2dPacking& packing) {
  const View<const float> weight = packing.weight.view<const float>();
  const std::int64_t count = packing.packed.shape().elements();
  constexpr int kPackThreads = 256;
  pack<T><<<static_cast<unsigned>((count + kPackThreads - 1) / kPackThreads), kPackThreads, 0,
            packing.stream>>>(weight, packing.packed.shape().c / kDepth,
                              divide_up(weight.shape.c, kDepth), count,
                              packing.packed.view<T>().data);
  cuda_check(cudaGetLastError(), "conv2d/cuda_mma: packing");
}

}  // namespace
}  // namespace conv2d_mma

void launch_conv2d_mma(const CudaConv2dCall& call) {
  if (call.y.dtype() == DType::kF16) return conv2d_mma::launch<Half>(call);
  conv2d_mma::launch<BFloat16>(call);
}

void launch_conv2d_mma_pack(const CudaConv2dPacking& packing) {
  if (packing.packed.dtype() == DType::kF16) return conv2d_mma::launch<Half>(packing);
  conv2d_mma::launch<BFloat16>(packing);
}

}  // namespace mend
