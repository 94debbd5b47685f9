// Winograd's minimal filtering on 8-bit activations, F(4x4,3x3) and F(6x6,3x3): what its SIMD code
// and its packing share.
//
//   input tile d [m+2,m+2,C], i8 ── V = Bᵀ d B, i16 ──┐
//   weight g [3,3,C,K], f32 ─────── U = G g Gᵀ, i16 ──┴─ M[ξ] = V[ξ]·U[ξ], i32 ── y = Aᵀ M A, f32
//
// Lavin & Gray 2016, arXiv:1509.09308; points 0, ±1, ±2, ∞ and, for m = 6, also ±1/2. The rows of
// Bᵀ, G and the columns of Aᵀ are scaled against each other so that V fills 16 bits evenly and U
// loses about the same at all positions; winograd_lines-inl.h has Bᵀ and Aᵀ.
//
// V of m = 4 is exact: |V| <= 10·10·128. Of m = 6 the first of its two passes is exact, in quarters,
// and the second rounds to whole numbers; |V| <= 15·15·128. U has one scale for each output channel,
// such that a sum over all input channels of even the largest |V| fits into 32 bits. The sums are
// exact then, in whatever order: every instruction set gets the same M.
#pragma once

#include <cstdint>

#include "kernels/conv2d/winograd.h"
#include "kernels/quantized_conv2d/variant.h"

namespace mend {

/// Output channels that lie side by side in the packed weight: one AVX-512 vector of i32.
constexpr int kQuantizedPack = 16;
/// Output channels that one pass over a block's V computes; a block holds M of so many.
constexpr int kQuantizedChunk = 64;

/// How a call is cut; nothing here changes a result.
struct QuantizedGeometry {
  int tile, patch;                  // m and m + 2
  int C, K, padded_c, padded_k;     // padded to whole vectors of i16, and to whole packs
  int block;                        // tiles
  std::int64_t v_stride, m_stride;  // numbers between two positions
  std::int64_t tiles;               // of all images
  bool vnni;                        // whether the processor has VNNI for its best instruction set

  int positions() const { return patch * patch; }
  int pairs() const { return (C + 1) / 2; }
};

QuantizedGeometry quantized_geometry(int tile, const op::QuantizedConv2d& op, const Shape& x,
                                     const Shape& y);

/// The parts of a packed weight. U: [positions][padded_k/16][pairs][16][2], zeros beyond C and K.
struct QuantizedWeight {
  const std::int16_t* u;
  const float* scale;       ///< [padded_k]: z = scale · Aᵀ M A + correction + bias
  const float* correction;  ///< [padded_k]: takes the zero points' part out of the sum again
};

QuantizedWeight quantized_weight(const QuantizedGeometry& g, const std::int8_t* packed);

/// The memory of one thread.
struct QuantizedScratch {
  std::int16_t* v;          // [positions][block][padded_c]
  std::int32_t* m;          // [positions][block][kQuantizedChunk]
  const std::int8_t* zero;  // [padded_c]: what lies outside the image, the code of 0
};

/// Bytes of one thread.
std::int64_t quantized_scratch_bytes(const QuantizedGeometry& g);
QuantizedScratch quantized_scratch(const QuantizedGeometry& g, const QuantizedConv2dCall& call,
                                   int thread);

/// M of all tiles: [positions][tiles][K]. A part of the rungs, alone, for the tests: their integer
/// part is held against plain loops bit by bit.
std::vector<std::int32_t> quantized_winograd_products(int tile, const QuantizedConv2dCall& call);

}  // namespace mend
