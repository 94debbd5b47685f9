// The tile of cuda_winograd4: what it brings into shared memory, V = Bᵀ d B, and the products M = V·U.
// cuda_winograd4.cu says why.
#pragma once

#include "kernels/conv2d/cuda.h"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/tensor_core.cuh"

namespace mend::conv2d_winograd4 {

constexpr int kPatch = 6, kPositions = kConv2dCudaWinograd4Positions;  // of a tile of 4x4 outputs
constexpr int kSide = 16;  // pixels of a square's side: 4x4 tiles
constexpr int kTilesOfSide = kSide / 4;
constexpr int kSquares = 2, kTiles = kSquares * kTilesOfSide * kTilesOfSide;  // of a block
constexpr int kBlock = kConv2dCudaWinograd4Block;                             // outputs
constexpr int kChunk = kConv2dCudaWinograd4Chunk;                             // channels at a time
constexpr int kWarps = 12, kThreads = kWarps * 32;
constexpr int kWarpPositions = kPositions / kWarps;
constexpr int kLaneTiles = 4, kLaneOutputs = 8;  // of the sums of a position

// In shared memory: the squares' pixels with kChunk channels each, pixel i at place_of(i); where in x they lie; and
// V [kPositions][kChunk][kTiles], four tiles after the other, of channel c number g at g ^ c.
constexpr int kPatchSide = kSide + 2, kPixels = kSquares * kPatchSide * kPatchSide;
constexpr int kVFloats = kPositions * kChunk * kTiles;
constexpr int kSharedBytes =
    (kPixels * kChunk + kVFloats) * static_cast<int>(sizeof(float)) + kPixels * 8;
static_assert(kSharedBytes <= 64 << 10, "what a block can have from compute capability 7.5 on");

struct Arguments {
  CudaConv2dParameters op;
  View<const float> x, residual;
  const float *weight, *bias, *slope;
  View<float> y;
  bool x_packs;  // every pixel starts at a multiple of 16 bytes
  int chunks;    // of x's channels
  int blocks_along_k, squares_along_q, squares_along_p, squares;  // squares: of all images
};

/// Where in y a square starts.
struct Origin {
  int n, p, q;
};

__device__ inline Origin origin_of(const Arguments& a, int square) {
  Origin origin;
  origin.q = square % a.squares_along_q * kSide;
  square /= a.squares_along_q;
  origin.p = square % a.squares_along_p * kSide;
  origin.n = square / a.squares_along_p;
  return origin;
}

/// Brings 16 bytes, or zeros where `inside` is false, into shared memory: by cp.async where there is one.
__device__ inline void bring_16(float* to, const float* from, bool inside) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  copy_16_async(shared_address(to), from, inside);
#else
  *reinterpret_cast<float4*>(to) = inside ? *reinterpret_cast<const float4*>(from) : float4{};
#endif
}
__device__ inline void bring_4(float* to, const float* from, bool inside) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  copy_4_async(shared_address(to), from, inside);
#else
  *to = inside ? *from : 0;
#endif
}
/// Until what this thread has asked for is there.
__device__ inline void wait_until_brought() {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  commit_copies();
  wait_for_copies<0>();
#endif
}

/// The first of four pixels moves one place on with every four: then the same pixels of four tiles side by side lie in
/// different banks.
__device__ constexpr int place_of(int pixel) { return (pixel & ~3) | ((pixel + pixel / 4) & 3); }

/// Where what the block's squares see lies in x; null where there is nothing.
__device__ inline void find_pixels(const Arguments& a, int first_square, const float** pixels) {
  for (int i = threadIdx.x; i < kPixels; i += kThreads) {
    const int column = i % kPatchSide, row = i / kPatchSide % kPatchSide;
    const int square = first_square + i / (kPatchSide * kPatchSide);
    const Origin origin = origin_of(a, square);
    const int h = source_index(origin.p + row - a.op.padding_h, a.x.shape.h, a.op.padding_mode);
    const int w = source_index(origin.q + column - a.op.padding_w, a.x.shape.w, a.op.padding_mode);
    // Where y ends before the square, h and w may lie beyond x in any mode: nobody needs the pixel.
    const bool inside =
        square < a.squares && h >= 0 && w >= 0 && h < a.x.shape.h && w < a.x.shape.w;
    pixels[i] = inside ? pixel_of(a.x, origin.n, h, w) : nullptr;
  }
}

/// Asks for chunk `chunk` of the pixels' channels, zeros where there is nothing: 16 bytes a thread and step.
__device__ inline void load_patch(const Arguments& a, const float* const* pixels, int chunk,
                                  float* patch) {
  constexpr int kUnits = kChunk / 4;
  const int unit = threadIdx.x % kUnits, c = chunk * kChunk + unit * 4, C = a.x.shape.c;
  const bool moves_packs = a.x_packs && (c >= C || c + 4 <= C);
#pragma unroll 1
  for (int i = threadIdx.x / kUnits; i < kPixels; i += kThreads / kUnits) {
    const float* const pixel = pixels[i];
    const bool inside = pixel != nullptr && c < C;
    const float* const from = inside ? pixel + c : a.x.data;
    float* const to = patch + place_of(i) * kChunk + unit * 4;
    if (moves_packs) {
      bring_16(to, from, inside);
    } else {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const bool is_channel = inside && c + j < C;
        bring_4(to + j, is_channel ? from + j : a.x.data, is_channel);
      }
    }
  }
}

/// t[6] = Bᵀ d[6]
__device__ inline void transform_input(const float (&d)[kPatch], float (&t)[kPatch]) {
  const float even = fmaf(-4, d[2], d[4]), odd = fmaf(-4, d[1], d[3]);
  const float even2 = d[4] - d[2], odd2 = 2 * (d[3] - d[1]);
  t[0] = fmaf(-5, d[2], fmaf(4, d[0], d[4]));
  t[1] = even + odd;
  t[2] = even - odd;
  t[3] = even2 + odd2;
  t[4] = even2 - odd2;
  t[5] = fmaf(-5, d[3], fmaf(4, d[1], d[5]));
}

/// A channel of a tile's 6x6 pixels in the patch.
struct TilePixels {
  const float* first;  ///< of four pixels, the tile's first one among them
  int slots[4];        ///< where number i of the first four lies, from there on

  __device__ TilePixels(const float* patch, int pixel, int channel)
      : first(patch + pixel * kChunk + channel) {
#pragma unroll
    for (int i = 0; i < 4; ++i) slots[i] = ((i + pixel / 4) & 3) * kChunk;
  }
  __device__ float operator()(int i, int j) const {
    const int at = i * kPatchSide + j, fours = at / 4;
    return first[slots[(at + fours) & 3] + fours * 4 * kChunk];
  }
  /// Those of the same tile of the next square.
  __device__ void move_on() {
    constexpr int kSquarePixels = kPatchSide * kPatchSide;
    static_assert(kSquarePixels % 4 == 0 && kSquarePixels / 4 % 4 == 1);
    first += kSquarePixels * kChunk;
    const int slot = slots[0];
    slots[0] = slots[1], slots[1] = slots[2], slots[2] = slots[3], slots[3] = slot;
  }
};

/// Column j of row kRow of Bᵀ d, 0 or 5.
template <int kRow>
__device__ float outer_row(const TilePixels& d, int j) {
  constexpr int kFirst = kRow == 0 ? 0 : 1;
  return fmaf(-5, d(kFirst + 2, j), fmaf(4, d(kFirst, j), d(kFirst + 4, j)));
}
/// Of rows kRow and kRow + 1, 1 or 3, which share what they read.
template <int kRow>
__device__ void inner_rows(const TilePixels& d, int j, float& low, float& high) {
  const float d1 = d(1, j), d2 = d(2, j), d3 = d(3, j), d4 = d(4, j);
  const float even = kRow == 1 ? fmaf(-4, d2, d4) : d4 - d2;
  const float odd = kRow == 1 ? fmaf(-4, d1, d3) : 2 * (d3 - d1);
  low = even + odd;
  high = even - odd;
}

/// A row of V from one of Bᵀ d.
template <int kRow>
__device__ void transform_row(const float (&d)[kPatch], float* V) {
  float line[kPatch];
  transform_input(d, line);
#pragma unroll
  for (int j = 0; j < kPatch; ++j) V[(kRow * kPatch + j) * kChunk * kTiles] = line[j];
}

/// Two rows of V of one tile and channel, 0 and 5, 1 and 2, or 3 and 4. V: of position 0.
template <int kLow>
__device__ void transform_rows(const TilePixels& d, float* V) {
  float low[kPatch], high[kPatch];
  if constexpr (kLow == 0) {
#pragma unroll
    for (int j = 0; j < kPatch; ++j) low[j] = outer_row<0>(d, j);
    transform_row<0>(low, V);
#pragma unroll
    for (int j = 0; j < kPatch; ++j) high[j] = outer_row<5>(d, j);
    transform_row<5>(high, V);
  } else {
#pragma unroll
    for (int j = 0; j < kPatch; ++j) inner_rows<kLow>(d, j, low[j], high[j]);
    transform_row<kLow>(low, V);
    transform_row<kLow + 1>(high, V);
  }
}

/// V of the chunk. Of each tile a thread makes two rows: a warp has four tiles side by side with 8 channels each,
/// in both squares.
__device__ inline void transform(const float* patch, float* V) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int channel = lane % kChunk, column = lane / kChunk, row = warp / 3;
  static_assert(kWarps == 3 * kTilesOfSide && kChunk * kTilesOfSide == 32);
  static_assert(kSquares == 2);
  TilePixels d(patch, row * 4 * kPatchSide + column * 4, channel);
  int to = channel * kTiles + (row ^ channel) * 4 + column;
#pragma unroll 1
  for (int square = 0; square < kSquares; ++square) {
    if (warp % 3 == 0) transform_rows<0>(d, V + to);
    if (warp % 3 == 1) transform_rows<1>(d, V + to);
    if (warp % 3 == 2) transform_rows<3>(d, V + to);
    d.move_on();
    to ^= kTiles / kSquares;  // (row + 4) ^ channel is (row ^ channel) ^ 4
  }
}

/// What a lane has of a position's 32 tiles x 32 outputs: tiles 4·tiles to +3 and outputs 8·e + 2·outputs, +1 for e < 4.
/// In the address of a tile the lane's lowest bit does not count, in that of an output the next: so a warp's 16-byte
/// reads take two wavefronts, not four.
struct LaneShare {
  int tiles, outputs;

  __device__ explicit LaneShare(int lane)
      : tiles((lane >> 1 & 1) | (lane >> 2 & 6)), outputs((lane & 1) | (lane >> 1 & 2)) {}
};

using Sums = float[kWarpPositions][kLaneTiles][kLaneOutputs];
/// U of a channel: of the lane's outputs, at the warp's positions.
using Weights = float4[kWarpPositions][2];

/// Half of them at one position. from: U of the lane's first output at the warp's first position.
__device__ inline float4 load_weights(const float* from, int position, int half) {
  return *reinterpret_cast<const float4*>(from + position * kBlock + half * (kBlock / 2));
}

/// sum += V·U of a chunk's channels. V: at the warp's first position; tiles: 4 · the lane's. u: of the chunk's first
/// channel; then of the next chunk's, if there is one. `from` is where they come from, and moves on.
__device__ inline void multiply(const float* V, int tiles, bool is_last, const float*& from,
                                Weights& u, Sums& sum) {
#pragma unroll 2  // four spill
  for (int c = 0; c < kChunk; ++c) {
    if (!is_last || c + 1 < kChunk) from += kPositions * kBlock;  // else once more the last
    const float* const of_channel = V + c * kTiles + (tiles ^ c * kLaneTiles);
#pragma unroll
    for (int position = 0; position < kWarpPositions; ++position) {
      const float4 next[2] = {load_weights(from, position, 0), load_weights(from, position, 1)};
      const float4 v = *reinterpret_cast<const float4*>(of_channel + position * kChunk * kTiles);
      const float tile[kLaneTiles] = {v.x, v.y, v.z, v.w};
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float4 w = u[position][half];
        const float output[4] = {w.x, w.y, w.z, w.w};
#pragma unroll
        for (int t = 0; t < kLaneTiles; ++t)
#pragma unroll
          for (int k = 0; k < 4; ++k) {
            float& z = sum[position][t][half * 4 + k];
            z = fmaf(tile[t], output[k], z);
          }
        u[position][half] = next[half];
      }
    }
  }
}

}  // namespace mend::conv2d_winograd4
