// The tile of cuda_tf32 and cuda_f16: what it brings into shared memory, and its products. cuda_stream.cuh
// says why.
#pragma once

#include "kernels/conv2d/cuda.h"
#include "kernels/conv2d/cuda_stream_plan.h"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/tensor_core.cuh"

namespace mend::conv2d_stream {

constexpr int kTaps = 3;  // in each direction
constexpr int kDepthsOfChunk = kStreamPixelBytes / kStreamMmaBytes;
constexpr int kTapBytes = kStreamGroupBytes / 9;  // of 8 outputs and the channels of one mma
constexpr int kShiftBytes = kTaps * kTapBytes;    // of one s, all r

/// CudaStreamTile at compile time, but for what narrow tiles have different. T: float, Half or BFloat16.
template <class T, int kWarpRows, int kWarpsAlongP, int kBlockOutputs>
struct Tile {
  using Number = T;
  static constexpr int kDepth = stream_depth(sizeof(T)), kChunk = stream_chunk(sizeof(T));
  static constexpr int kUnit = 16 / sizeof(T);  // channels of 16 bytes
  static constexpr int kRows = kWarpRows, kWarpsP = kWarpsAlongP, kBlock = kBlockOutputs;
  static constexpr int kWarpsK = CudaStreamTile{kRows, kWarpsP, kBlock, false}.warps_k();
  static constexpr int kThreads = CudaStreamTile{kRows, kWarpsP, kBlock, false}.threads();
  static constexpr int kGroups = kBlock / 8;                       // of 8 outputs
  static constexpr int kColumns = kGroups / kWarpsK;               // of a warp: mma side by side
  static constexpr int kDepthBytes = kGroups * kStreamGroupBytes;  // of weights
  /// Whether a lane has its 4 sums of two neighbouring mma side by side in y.
  static constexpr bool kPairs = sizeof(T) == 2 && kBlock > 8;
  static constexpr int kRun = kPairs ? 4 : 2;  // channels of a lane side by side
  static_assert(kColumns * kWarpsK * 8 == kBlock && kColumns * 2 % kRun == 0);

  /// The first of a lane's two channels of mma j, from its first one of all on.
  static constexpr int channel(int j) { return kPairs ? j / 2 * 16 + j % 2 * 2 : j * 8; }
};

template <class T>
struct Arguments {
  CudaConv2dParameters op;
  View<const T> x, residual;
  const T* weight;
  const float *bias, *slope;
  View<T> y;
  bool x_packs;                // every pixel starts at a multiple of 16 bytes
  bool y_runs, residual_runs;  // and here at one of a Run's
  int depths, chunks;          // of x's channels: of an mma's, and of 128 bytes
  int groups;                  // of 8 outputs
  int blocks_along_k, tiles_along_q, tiles_along_p, tiles;  // tiles: of pixels, in all images
  int tile_rows, tile_columns;
  int patch_columns, patch_pixels;
  int column_reciprocal;        // i / patch_columns = i · this >> 16
  int warp_rows;                // rows of pixels from one warp to the next
  int half_rows, half_columns;  // from the first 8 pixels of an mma to the other 8
};

/// Where in y a tile starts.
struct Origin {
  int n, p, q;
};

template <class T>
__device__ Origin origin_of(const Arguments<T>& a, int tile) {
  Origin origin;
  origin.q = tile % a.tiles_along_q * a.tile_columns;
  tile /= a.tiles_along_q;
  origin.p = tile % a.tiles_along_p * a.tile_rows;
  origin.n = tile / a.tiles_along_p;
  return origin;
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

/// cp.async moves 4 bytes at least.
template <class T>
__device__ void store_shared(std::uint32_t to, T number) {
  asm volatile("st.shared.u16 [%0], %1;" ::"r"(to), "h"(number.bits) : "memory");
}

/// Asks for chunk `chunk` of the channels of the pixels that the tile sees: 16 bytes a thread and step.
template <class Tile>
__device__ void load_patch(const Arguments<typename Tile::Number>& a, const Origin& origin,
                           int chunk, std::uint32_t patch) {
  const int units = min(kDepthsOfChunk, a.depths - chunk * kDepthsOfChunk) * 2;  // of 16 bytes
  const int log = units > 4 ? 3 : units > 2 ? 2 : 1;  // 2 to the log threads share a pixel
  const int unit = threadIdx.x & ((1 << log) - 1);
  using T = typename Tile::Number;
  constexpr int kUnit = Tile::kUnit;
  const int c = chunk * Tile::kChunk + unit * kUnit, C = a.x.shape.c;
  if (unit >= units) return;
  const bool moves_packs = a.x_packs && (c >= C || c + kUnit <= C);
  const bool zeros = a.op.padding_mode == PaddingMode::kZeros;
  // Pixels are counted from the patch's first on, which may lie outside x: then 32 bits suffice.
  const int top = origin.p - a.op.padding_h, left = origin.q - a.op.padding_w;
  const T* const first = pixel_of(a.x, origin.n, top, left) + c;
  const int h_stride = static_cast<int>(a.x.h_stride), w_stride = static_cast<int>(a.x.w_stride);
#pragma unroll 2
  for (int i = threadIdx.x >> log; i < a.patch_pixels; i += Tile::kThreads >> log) {
    const int row = i * a.column_reciprocal >> 16, column = i - row * a.patch_columns;
    int h = row, w = column;
    if (!zeros) {
      h = source_index(top + row, a.x.shape.h, a.op.padding_mode) - top;
      w = source_index(left + column, a.x.shape.w, a.op.padding_mode) - left;
    }
    // Where y ends before the tile, h and w may lie beyond x in any mode: nobody needs the pixel.
    const bool inside = static_cast<unsigned>(top + h) < static_cast<unsigned>(a.x.shape.h) &&
                        static_cast<unsigned>(left + w) < static_cast<unsigned>(a.x.shape.w) &&
                        c < C;
    const T* from = inside ? first + (h * h_stride + w * w_stride) : a.x.data;
    const std::uint32_t to = patch + i * kStreamPixelBytes + ((unit ^ (column & 7)) << 4);
    if (moves_packs) {
      copy_16_async(to, from, inside);
    } else {
#pragma unroll
      for (int j = 0; j < kUnit; ++j) {
        const bool is_channel = inside && c + j < C;
        if constexpr (sizeof(T) == 4) {
          copy_4_async(to + j * 4, is_channel ? from + j : a.x.data, is_channel);
        } else {
          store_shared(to + j * 2, is_channel ? from[j] : T{});
        }
      }
    }
  }
}

/// Asks for the weights of chunk `chunk`, the block's outputs.
template <class Tile>
__device__ void load_weights(const Arguments<typename Tile::Number>& a, int k_block, int chunk,
                             std::uint32_t slot) {
  const int first = k_block * Tile::kGroups;
  const int bytes = min(Tile::kGroups, a.groups - first) * kStreamGroupBytes;
  const int end = min(kDepthsOfChunk, a.depths - chunk * kDepthsOfChunk);
  for (int depth = 0; depth < end; ++depth) {
    const char* from =
        reinterpret_cast<const char*>(a.weight) +
        (std::int64_t{chunk * kDepthsOfChunk + depth} * a.groups + first) * kStreamGroupBytes;
    const std::uint32_t to = slot + depth * Tile::kDepthBytes;
#pragma unroll 4
    for (int at = threadIdx.x * 16; at < bytes; at += Tile::kThreads * 16) {
      copy_16_async(to + at, from + at);
    }
  }
}

/// The products of one stage: the channels of one mma from unit `unit` of the patch on, shift s, all three r.
/// patch: the warp's first row, for lanes with the other 8 pixels of an mma these; weights: the stage's.
template <class Tile>
__device__ void multiply(std::uint32_t patch, int row_bytes, std::uint32_t weights, int unit, int s,
                         int lane, float (&sum)[Tile::kRows][Tile::kColumns][4]) {
  // Tap m is column m / 3, r = m % 3. Two taps at once, which lie beside each other or 8 outputs apart.
  constexpr int kCount = kTaps * Tile::kColumns;
  std::uint32_t b[kCount][2];
  const std::uint32_t rows = weights + lane % 16 * 16;
  const std::uint32_t beside = rows + lane / 16 * kTapBytes;
  const std::uint32_t apart = rows + lane / 16 * (kStreamGroupBytes - 2 * kTapBytes);
  for_each_index<(kCount + 1) / 2>([&](auto pair) {
    constexpr int m = pair * 2;
    constexpr int kOffset = m / kTaps * kStreamGroupBytes + m % kTaps * kTapBytes;
    if constexpr (m + 1 < kCount) {
      std::uint32_t two[4];
      load_matrices<kOffset>(two, m % kTaps == kTaps - 1 ? apart : beside);
      b[m][0] = two[0], b[m][1] = two[1], b[m + 1][0] = two[2], b[m + 1][1] = two[3];
    } else {
      load_matrices<kOffset>(b[m], rows);
    }
  });
  const int column = lane % 8 + s;
  std::uint32_t at =
      patch + column * kStreamPixelBytes + (((unit + lane / 16) ^ (column & 7)) << 4);
#pragma unroll
  for (int h = 0; h < Tile::kRows + kTaps - 1; ++h) {
    std::uint32_t a[4];
    load_matrices<0>(a, at);
    at += row_bytes;
    if constexpr (sizeof(typename Tile::Number) == 4) {
#pragma unroll
      for (std::uint32_t& number : a) number = to_tf32(number);
    }
#pragma unroll
    for (int r = 0; r < kTaps; ++r) {
      const int row = h - r;
      if (row < 0 || row >= Tile::kRows) continue;
#pragma unroll
      for (int j = 0; j < Tile::kColumns; ++j) {
        const std::uint32_t(&weight)[2] = b[j * kTaps + r];
        if constexpr (sizeof(typename Tile::Number) == 4) {
          multiply_add_tf32(sum[row][j], a, weight[0], weight[1]);
        } else {
          multiply_add<typename Tile::Number>(sum[row][j], a, weight[0], weight[1]);
        }
      }
    }
  }
}

#endif  // from compute capability 8.0 on

}  // namespace mend::conv2d_stream
