// The tiles of cuda_tf32, and which one a convolution gets.
#pragma once

#include <cstddef>

#include "engine/shape.h"

namespace mend {

constexpr int kTf32Depth = 8;                    ///< channels that one mma sums up
constexpr int kTf32Chunk = 32;                   ///< channels in shared memory at a time
constexpr int kTf32PixelBytes = kTf32Chunk * 4;  ///< of a pixel there: all 32 banks
/// Of the weights of 8 outputs x 8 channels x 3x3 taps.
constexpr int kTf32GroupBytes = 9 * 8 * kTf32Depth * 4;

/// What one block computes at a time: pixels x outputs. A warp has `rows` times 16 pixels: 16 neighbours in
/// a row, or, where the tile is narrow, 8 and the 8 that lie `rows` below.
struct CudaTf32Tile {
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
  constexpr std::size_t shared_bytes(int C) const {
    const int depths = (C + kTf32Depth - 1) / kTf32Depth;
    constexpr int kMost = 2 * kTf32Chunk / kTf32Depth;
    return static_cast<std::size_t>(2 * patch_pixels() * kTf32PixelBytes +
                                    (depths < kMost ? depths : kMost) * block / 8 *
                                        kTf32GroupBytes);
  }
};

/// What the plan may use.
struct CudaTf32Limits {
  int multiprocessors;
  std::size_t shared_bytes;  ///< of one block
};

struct CudaTf32Plan {
  CudaTf32Tile tile;
  double seconds;  ///< modelled
};

/// The tile with the least modelled time for x [N,H,W,C] -> y [N,P,Q,K].
CudaTf32Plan conv2d_cuda_tf32_plan(const Shape& x, const Shape& y, const CudaTf32Limits& limits);

}  // namespace mend
