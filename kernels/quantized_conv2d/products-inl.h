// M[ξ] = V[ξ]·U[ξ] in whole numbers, for a block of tiles. Included once for every instruction set; see
// kernels/simd.h.
//
// What limits it: vector instructions. For two channels a register tile of 6 x 2 vectors (AVX2) loads 2
// vectors of U, broadcasts 6 pairs of V, and takes 12 multiplications and 12 additions for 192 products;
// f32 takes 16 loads and broadcasts and 24 FMAs. Zen 3 does 3.2 such a cycle, so 10 cycles for 19
// products each, where f32 has 16 at its best. VNNI halves the 24.
#include <cstring>
#include <utility>

#include "kernels/quantized_conv2d/winograd.h"
#include "kernels/quantized_conv2d/winograd_lines-inl.h"
#include "kernels/simd.h"

#if defined(MEND_KERNELS_QUANTIZED_CONV2D_PRODUCTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_QUANTIZED_CONV2D_PRODUCTS_INL_H_
#undef MEND_KERNELS_QUANTIZED_CONV2D_PRODUCTS_INL_H_
#else
#define MEND_KERNELS_QUANTIZED_CONV2D_PRODUCTS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

// Processors with VNNI multiply the pairs and add to the sum in one instruction. Highway has no name for
// it, and AVX-512 and AVX2 come with and without: what the processor has is asked at run time.
#if HWY_TARGET == HWY_AVX3
#define MEND_VNNI "vpdpwssd %2, %1, %0"
#elif HWY_TARGET == HWY_AVX2
#define MEND_VNNI "%{vex%} vpdpwssd %2, %1, %0"
#endif

/// sum + x[0]·w[0] + x[1]·w[1] in each lane of 32 bits; on some processors a part of it in `odd`.
struct TwoInstructions {
  static HWY_INLINE V32 add_products(V16 x, V16 w, V32 sum, V32& odd) {
    return hn::ReorderWidenMulAccumulate(D32(), x, w, sum, odd);
  }
};
#ifdef MEND_VNNI
struct Vnni {
  static HWY_INLINE V32 add_products(V16 x, V16 w, V32 sum, V32&) {
    asm(MEND_VNNI : "+v"(sum.raw) : "v"(x.raw), "vm"(w.raw));
    return sum;
  }
};
#undef MEND_VNNI
#else
using Vnni = TwoInstructions;
#endif

/// One register tile of a position's product.
struct Product {
  const std::int16_t* v;  // [tiles][padded_c]
  const std::int16_t* u;  // [packs][pairs][16][2]
  std::int64_t pack_stride;
  int pairs, v_stride;
  std::int32_t* m;  // [tiles][kChunk]
  bool vnni;
};

/// m[t][k] = Σ_c v[t][c]·u[c][k] for kTiles tiles and kVectors vectors of output channels.
template <class Instructions, int kTiles, int kVectors>
HWY_NOINLINE void multiply(const Product& p) {
  const D32 d;
  const D16 d16;
  V32 sum[kTiles][kVectors], odd[kTiles][kVectors];  // odd stays 0 on x86
  HWY_UNROLL(12)
  for (int t = 0; t < kTiles; ++t) {
    HWY_UNROLL(4)
    for (int k = 0; k < kVectors; ++k) sum[t][k] = odd[t][k] = hn::Zero(d);
  }
  const std::int16_t* HWY_RESTRICT v = p.v;
  const std::int16_t* HWY_RESTRICT u = p.u;
  const int pairs = p.pairs, v_stride = p.v_stride;
  const std::int64_t pack_stride = p.pack_stride;
  for (int c = 0; c < pairs; ++c, u += 2 * kPack) {
    V16 w[kVectors];
    HWY_UNROLL(4)
    for (int k = 0; k < kVectors; ++k) {
      w[k] = hn::Load(d16, u + (k / kPerPack) * pack_stride + (k % kPerPack) * kLanes16);
    }
    HWY_UNROLL(12)
    for (int t = 0; t < kTiles; ++t) {
      std::int32_t pair;
      std::memcpy(&pair, v + t * v_stride + 2 * c, sizeof(pair));
      const V16 x = hn::BitCast(d16, hn::Set(d, pair));
      HWY_UNROLL(4)
      for (int k = 0; k < kVectors; ++k) {
        sum[t][k] = Instructions::add_products(x, w[k], sum[t][k], odd[t][k]);
      }
    }
  }
  HWY_UNROLL(12)
  for (int t = 0; t < kTiles; ++t) {
    HWY_UNROLL(4)
    for (int k = 0; k < kVectors; ++k) {
      hn::Store(hn::RearrangeToOddPlusEven(sum[t][k], odd[t][k]), d, p.m + t * kChunk + k * kLanes);
    }
  }
}

// The register tile: with 32 registers 12 tiles x 2 packs of one vector = 24 sums, 2 weights, a
// broadcast and a product; with 16 registers 6 tiles x 2 vectors (AVX2) or 3 x 4 (SSE4) = 12 sums, and
// not one to spare. NEON has two sums each, 3 x 4 of them, in 32 registers.
constexpr bool kManyRegisters = kLanes == kPack;
constexpr int kTilesAtOnce = kManyRegisters ? 12 : (kLanes == 8 ? 6 : 3);
constexpr int kPacksAtOnce = kManyRegisters ? 2 : 1;

using Multiply = void (*)(const Product&);

template <int kVectors, int... kHeight>
HWY_INLINE Multiply multiply_of_height(bool vnni, int tiles,
                                       std::integer_sequence<int, kHeight...>) {
  static constexpr Multiply kTable[][kTilesAtOnce] = {
      {multiply<TwoInstructions, kHeight + 1, kVectors>...},
      {multiply<Vnni, kHeight + 1, kVectors>...}};
  return kTable[vnni ? 1 : 0][tiles - 1];
}

/// A position's product for kVectors vectors of outputs and any number of tiles, as even as can be.
template <int kVectors>
HWY_INLINE void multiply_tiles(Product p, int tiles) {
  for (int passes = (tiles + kTilesAtOnce - 1) / kTilesAtOnce; passes > 0; --passes) {
    const int height = (tiles + passes - 1) / passes;
    multiply_of_height<kVectors>(p.vnni, height,
                                 std::make_integer_sequence<int, kTilesAtOnce>())(p);
    p.v += std::int64_t{height} * p.v_stride;
    p.m += height * kChunk;
    tiles -= height;
  }
}

/// M of one block for the packs [first, first + packs) of output channels, position by position:
/// a position's V and U are read while they are in L1.
void multiply_block(const QuantizedGeometry& g, const std::int16_t* packed, int first, int packs,
                    int tiles, const QuantizedScratch& scratch) {
  const std::int64_t pack_stride = std::int64_t{g.pairs()} * 2 * kPack;
  for (int position = 0; position < g.positions(); ++position) {
    const std::int16_t* u =
        packed + (std::int64_t{position} * g.padded_k / kPack + first) * pack_stride;
    Product product{scratch.v + position * g.v_stride, u,     pack_stride, g.pairs(), g.padded_c,
                    scratch.m + position * g.m_stride, g.vnni};
    int pack = 0;
    for (; pack + kPacksAtOnce <= packs; pack += kPacksAtOnce) {
      multiply_tiles<kPacksAtOnce * kPerPack>(product, tiles);
      product.u += kPacksAtOnce * pack_stride;
      product.m += kPacksAtOnce * kPack;
    }
    for (; pack < packs; ++pack) {
      multiply_tiles<kPerPack>(product, tiles);
      product.u += pack_stride;
      product.m += kPack;
    }
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
