// The tiles of cuda_tf32 and cuda_f16, and which one a convolution gets.
#pragma once

#include <cstddef>

#include "engine/shape.h"

namespace mend {

constexpr int kStreamPixelBytes = 128;  ///< of a pixel's channels in shared memory: all 32 banks
constexpr int kStreamMmaBytes = 32;     ///< of the channels that one mma sums up
/// Of the weights of 8 outputs, the channels of one mma, and 3x3 taps.
constexpr int kStreamGroupBytes = 9 * 8 * kStreamMmaBytes;

/// Channels that one mma sums up: 8 of f32, 16 of f16.
constexpr int stream_depth(int number_bytes) { return kStreamMmaBytes / number_bytes; }
/// Channels in shared memory at a time: 32 of f32, 64 of f16.
constexpr int stream_chunk(int number_bytes) { return kStreamPixelBytes / number_bytes; }
/// Groups of 8 that K outputs have in a packed weight; 16-bit numbers have them in pairs (cuda_stream.cuh).
constexpr int stream_groups(int K, int number_bytes) {
  const int groups = (K + 7) / 8;
  return number_bytes == 4 || groups == 1 ? groups : (groups + 1) / 2 * 2;
}

/// What one block computes at a time: pixels x outputs. A warp has `rows` times 16 pixels: 16 neighbours in
/// a row, or, where the tile is narrow, 8 and the 8 that lie `rows` below.
struct CudaStreamTile {
  int rows;     ///< of a warp, 16 pixels each
  int warps_p;  ///< warps that share the tile's pixels
  int block;    ///< outputs: 8, 16, 24, or 32, 48, 64
  bool narrow;

  constexpr int warps_k() const { return block > 24 ? 2 : 1; }
  constexpr int threads() const { return warps_p * warps_k() * 32; }
  constexpr int columns() const { return narrow ? 8 : 16; }
  constexpr int tile_rows() const { return warps_p * rows * (narrow ? 2 : 1); }
  constexpr int patch_pixels() const { return (tile_rows() + 2) * (columns() + 2); }
  /// Of shared memory, for C channels: two patches, and the weights of up to two chunks.
  constexpr std::size_t shared_bytes(int C, int number_bytes) const {
    const int depth = stream_depth(number_bytes), depths = (C + depth - 1) / depth;
    constexpr int kMost = 2 * kStreamPixelBytes / kStreamMmaBytes;
    return static_cast<std::size_t>(2 * patch_pixels() * kStreamPixelBytes +
                                    (depths < kMost ? depths : kMost) * block / 8 *
                                        kStreamGroupBytes);
  }
};

/// What the plan may use.
struct CudaStreamLimits {
  int multiprocessors;
  std::size_t shared_bytes;  ///< of one block
};

struct CudaStreamPlan {
  CudaStreamTile tile;
  double
      seconds;  ///< modelled, without the wait for the first bytes, which no other rung's model has
};

/// The tile with the least modelled time, that wait included, for x [N,H,W,C] -> y [N,P,Q,K], numbers of 4 or 2 bytes.
CudaStreamPlan conv2d_cuda_stream_plan(const Shape& x, const Shape& y, int number_bytes,
                                       const CudaStreamLimits& limits);

}  // namespace mend
