// The tile of cuda_mma: its extents, what it brings into shared memory, and its products. cuda_mma.cu
// says why they are so.
#pragma once

#include "kernels/conv2d/cuda.h"
#include "kernels/conv2d/cuda_mma_stage.cuh"
#include "kernels/cuda/element.cuh"

namespace mend::conv2d_mma {

constexpr int kTileRows = 12, kTileColumns = 16;  // pixels of y; one mma's rows are the columns
constexpr int kTilePixels = kTileRows * kTileColumns;
constexpr int kPatchRows = kTileRows + kTaps - 1, kPatchColumns = kTileColumns + kTaps - 1;
constexpr int kChunk = 64;                // channels of the patch at a time
constexpr int kPixelBytes = kChunk * 2;   // of a pixel in the patch: all 32 banks
constexpr int kUnits = kPixelBytes / 16;  // of 16 bytes, 8 channels
constexpr int kRowBytes = kPatchColumns * kPixelBytes;
constexpr int kPatchBytes = kPatchRows * kRowBytes;  // 32 KB
constexpr int kStages = 4;                           // of weights in the ring, where they stream
constexpr int kWarps = 2, kThreads = kWarps * 32;

/// How the block's warps share its tile: rows of pixels times outputs.
template <int kBlockOutputs>
struct Tile {
  static constexpr int kBlock = kBlockOutputs;
  static constexpr int kWarpsAlongK = kBlock == 64 ? 2 : 1;
  static constexpr int kRows = kTileRows * kWarpsAlongK / kWarps;  // of a warp: 12 or 6
  static constexpr int kOutputs = kBlock / kWarpsAlongK;           // of a warp: 32 or 16
  static constexpr int kColumns = kOutputs / 8;                    // mma side by side
  static constexpr int kStageBytes = kTaps * kBlock * kDepth * 2;  // of weights
  static constexpr int kSumStride =
      kBlock + 8;  // floats: 4 rows of 8 sums, one half-warp, touch all banks
  static constexpr int kPasses = kBlock == 64 ? 2 : 1;  // in which the sums leave
  static constexpr int kPassRows = kRows / kPasses;     // of each warp
  static constexpr int kPassPixels = kTilePixels / kPasses;
  static_assert(kOutputs % 16 == 0 && kRows * kWarps == kTileRows * kWarpsAlongK);
  static_assert(kPassPixels * kSumStride * 4 <= kPatchBytes);
};

template <class T>
struct Arguments {
  CudaConv2dParameters op;
  View<const T> x, residual;
  const T* weight;
  const float *bias, *slope;
  View<T> y;
  bool x_packs, y_packs, residual_packs;  // every pixel starts at a multiple of 16 bytes
  bool weights_stay;                      // all stages are in the ring from the first tile on
  int slots;                              // of the ring
  int strip_rows;                         // from one strip to the next, what lies between them too
  int blocks_along_k, strips_along_q, tiles;
};

/// A row of a strip of y: from pixel q of row p on. Behind the last rows of y, p lies between two strips.
struct Origin {
  int n, p, q, k_block;
};

/// Where a tile starts.
template <class T>
__device__ Origin origin_of(const Arguments<T>& a, int tile) {
  Origin origin;
  origin.k_block =
      tile % a.blocks_along_k;  // innermost: they share a patch, which is then still in L2
  const int row = tile / a.blocks_along_k * kTileRows, strip = row / a.strip_rows;
  origin.p = row - strip * a.strip_rows;
  origin.q = strip % a.strips_along_q * kTileColumns;
  origin.n = strip / a.strips_along_q;
  return origin;
}

/// Goes `rows` down; behind a strip the next begins. Whether it does.
template <class T>
__device__ bool move_down(const Arguments<T>& a, Origin& row, int rows) {
  row.p += rows;
  if (row.p < a.strip_rows) return false;
  do {
    row.p -= a.strip_rows;
    row.q += kTileColumns;
    if (row.q >= a.y.shape.w) row.q = 0, ++row.n;
  } while (row.p >= a.strip_rows);
  return true;
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

/// Asks for channels [first, first + 64) of the pixels that the tile sees. A thread takes the same 16 bytes
/// of every kStep-th pixel.
template <class T>
__device__ void load_patch(const Arguments<T>& a, Origin row, int first, char* patch) {
  constexpr int kStep = kThreads / kUnits;
  static_assert(kStep < kPatchColumns);
  const int unit = threadIdx.x % kUnits, c = first + unit * 8, C = a.x.shape.c;
  if (c >= (C + kDepth - 1) / kDepth * kDepth) return;
  const bool moves_packs = a.x_packs && (c >= C || c + 8 <= C);
  const bool zeros = a.op.padding_mode == PaddingMode::kZeros;
  const T* image = pixel_of(a.x, row.n, 0, 0) + c;
  bool is_there = c < C;
  int column = threadIdx.x / kUnits;
  std::uint32_t to = shared_address(patch) + column * kPixelBytes;
  const std::uint32_t end = shared_address(patch) + kPatchBytes;
#pragma unroll 1
  while (to < end) {
    int h = row.p - a.op.padding_h, w = row.q + column - a.op.padding_w;
    if (!zeros) {
      h = source_index(h, a.x.shape.h, a.op.padding_mode);
      w = source_index(w, a.x.shape.w, a.op.padding_mode);
    }
    // Where y ends before the tile, h and w may lie beyond x in any mode: nobody needs the pixel.
    const bool inside = static_cast<unsigned>(h) < static_cast<unsigned>(a.x.shape.h) &&
                        static_cast<unsigned>(w) < static_cast<unsigned>(a.x.shape.w) && is_there;
    const T* from = inside ? image + h * a.x.h_stride + w * a.x.w_stride : a.x.data;
    const std::uint32_t swizzled = to + ((unit ^ (column & 7)) << 4);
    if (moves_packs) {
      copy_16_async(swizzled, from, inside);
    } else {
      Pack<T> pack;
#pragma unroll
      for (int j = 0; j < 8; ++j) pack.values[j] = inside && c + j < C ? from[j] : T{};
      *reinterpret_cast<Pack<T>*>(patch + (swizzled - shared_address(patch))) = pack;
    }
    to += kStep * kPixelBytes;
    column += kStep;
    if (column >= kPatchColumns) {
      column -= kPatchColumns;
      if (move_down(a, row, 1)) {
        image = pixel_of(a.x, row.n, 0, 0) + c;
        is_there = is_there && row.n < a.x.shape.n;
      }
    }
  }
}

/// The products of one stage: 16 channels from unit `unit` of the patch on, shift s, all three r.
template <class T, class Tile>
__device__ void multiply(std::uint32_t patch, std::uint32_t weights, int unit, int s, int lane,
                         float (&sum)[Tile::kRows][Tile::kColumns][4]) {
  const int column = lane % 16 + s;
  const std::uint32_t pixels =
      patch + column * kPixelBytes + (((unit + lane / 16) ^ (column & 7)) << 4);
  multiply_taps<T, Tile::kBlock, kRowBytes>(pixels, weights, lane, sum);
}

#endif  // from compute capability 8.0 on

}  // namespace mend::conv2d_mma
