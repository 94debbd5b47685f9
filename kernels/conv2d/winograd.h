// What the two Winograd rungs of conv2d, F(4x4,3x3) and F(6x6,3x3), share outside of their SIMD code:
// the matrices, the packed weights, and how a call is cut into blocks.
//
//   input tile d [m+2,m+2,C] ── V = Bᵀ d B ──┐
//   weight g [3,3,C,K]       ── U = G g Gᵀ ──┴─ M[ξ] = V[ξ]·U[ξ] at (m+2)² positions ξ ── y = Aᵀ M A
//
// Lavin & Gray 2016, arXiv:1509.09308; the points are those of winograd_weight.h.
// Weights, once: packed[ξ][k/16][c][k%16], zeros beyond K.
#pragma once

#include <cstdint>

#include "kernels/conv2d/row.h"

namespace mend {

/// Output channels that lie side by side in the packed weight: one AVX-512 vector.
constexpr int kWinogradPack = kConvBlock;
/// Output channels that one pass over a block's V computes; a block holds M of so many.
constexpr int kWinogradChunk = 2 * kWinogradPack;

/// Where a tile's outputs go: its first pixel, and how many rows and columns lie in the image.
struct TilePlace {
  int n, p, q, rows, columns;
};

/// The place of tile number `tile` among the m x m tiles of y, counted through rows and images.
TilePlace tile_place(std::int64_t tile, int m, const Shape& y);

/// Tiles of a block: `most` at most, as even as can be, and as many blocks for each thread.
int even_block(std::int64_t tiles, std::int64_t most);

/// How a call is cut; nothing here changes a result.
struct WinogradGeometry {
  int tile, patch;                  // m and m + 2
  int C, K, padded_c, padded_k;     // padded to whole packs
  int block;                        // tiles
  std::int64_t v_stride, m_stride;  // floats between two positions
  std::int64_t tiles;               // of all images

  int positions() const { return patch * patch; }
};

WinogradGeometry winograd_geometry(int tile, const op::Conv2d& op, const Shape& x, const Shape& y);

/// The memory of one thread.
struct WinogradScratch {
  float* v;      // [positions][block][padded_c]
  float* m;      // [positions][block][kWinogradChunk]
  float* zeros;  // [padded_c]: what lies outside the image
};

std::int64_t winograd_scratch_floats(const WinogradGeometry& g);
WinogradScratch winograd_scratch(const WinogradGeometry& g, Scratch scratch, int thread);

}  // namespace mend
