// 3x3 convolution by Winograd's minimal filtering, F(4x4,3x3) and F(6x6,3x3): m x m outputs cost
// (m+2)² products a pair of channels and not 9·m², 2.25 and 1.78 an output instead of 9.
// kernels/conv2d/winograd.h has the formulas.
//
// The direct rung is bound by its multiplications. These do a quarter or a fifth of them, and would
// be bound by memory if the transformed image went out to L3: 2 floats for each one of the image in
// either direction. So the three stages run over one block of tiles at a time, whose V and M stay in
// L2, with M for 32 output channels at a time; only U comes from L3, once a block.
//
// The large multipliers, powers of the points ±2, make the error, not the sums.
#include <hwy/cache_control.h>

#include <algorithm>
#include <utility>

#include "engine/parallel.h"
#include "kernels/conv2d/row.h"
#include "kernels/conv2d/winograd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv2d/cpu_winograd.cpp"
#include "kernels/conv2d/winograd_lines-inl.h"
#include "kernels/conv2d/winograd_output-inl.h"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

using D = WinogradTag;
using V = WinogradVector;
constexpr int kLanes = kWinogradLanes;
constexpr int kPack = kWinogradPack, kChunk = kWinogradChunk;
constexpr int kPerPack = kPack / kLanes;

/// The first `count` lanes from memory, zeros beyond; never touches memory beyond.
HWY_INLINE V load_first(D d, const float* from, int count) {
  if (count >= kLanes) return hn::LoadU(d, from);
  HWY_ALIGN float lanes[kLanes] = {};
  for (int i = 0; i < count; ++i) lanes[i] = from[i];
  return hn::Load(d, lanes);
}

/// The pixels that a tile reads, all of them inside the image.
struct InsidePatch {
  const float* corner;
  std::int64_t row_stride, column_stride;

  HWY_INLINE const float* pixel(int i, int j) const {
    return corner + i * row_stride + j * column_stride;
  }
};

/// The pixels that a tile reads where some lie outside of the image.
template <int kPatch>
struct BorderPatch {
  const float* pixels[kPatch * kPatch];

  HWY_INLINE const float* pixel(int i, int j) const { return pixels[i * kPatch + j]; }
};

/// V of one tile.
template <int kTile, class Patch>
HWY_INLINE void transform_input(const Patch& patch, const WinogradGeometry& g, float* v) {
  constexpr int kPatch = kTile + 2;
  const D d;
  for (int c = 0; c < g.padded_c; c += kLanes) {
    const int count = g.C - c;
    V columns[kPatch][kPatch];  // [j][i]: Bᵀ d, column j
    for (int j = 0; j < kPatch; ++j) {
      V x[kPatch];
      if (count >= kLanes) {
        HWY_UNROLL(8)
        for (int i = 0; i < kPatch; ++i) x[i] = hn::LoadU(d, patch.pixel(i, j) + c);
      } else {
        for (int i = 0; i < kPatch; ++i) x[i] = load_first(d, patch.pixel(i, j) + c, count);
      }
      WinogradLines<kTile>::input(d, x, columns[j]);
    }
    for (int i = 0; i < kPatch; ++i) {
      V x[kPatch], t[kPatch];
      HWY_UNROLL(8)
      for (int j = 0; j < kPatch; ++j) x[j] = columns[j][i];
      WinogradLines<kTile>::input(d, x, t);
      HWY_UNROLL(8)
      for (int j = 0; j < kPatch; ++j) hn::Store(t[j], d, v + (i * kPatch + j) * g.v_stride + c);
    }
  }
}

/// One register tile of a position's product.
struct Product {
  const float* v;  // [tiles][padded_c]
  const float* u;  // [packs][C][16]
  std::int64_t pack_stride;
  int C, v_stride;
  float* m;  // [tiles][kChunk]
};

/// m[t][k] = Σ_c v[t][c]·u[c][k] for kTiles tiles and kVectors vectors of output channels.
template <int kTiles, int kVectors>
HWY_NOINLINE void multiply(const Product& p) {
  const D d;
  V sum[kTiles][kVectors];
  HWY_UNROLL(12)
  for (int t = 0; t < kTiles; ++t) {
    HWY_UNROLL(4)
    for (int k = 0; k < kVectors; ++k) sum[t][k] = hn::Zero(d);
  }
  const float* HWY_RESTRICT v = p.v;
  const float* HWY_RESTRICT u = p.u;
  const int C = p.C, v_stride = p.v_stride;
  const std::int64_t pack_stride = p.pack_stride;
  for (int c = 0; c < C; ++c, u += kPack) {
    V w[kVectors];
    HWY_UNROLL(4)
    for (int k = 0; k < kVectors; ++k) {
      w[k] = hn::Load(d, u + (k / kPerPack) * pack_stride + (k % kPerPack) * kLanes);
    }
    HWY_UNROLL(12)
    for (int t = 0; t < kTiles; ++t) {
      const V x = hn::Set(d, v[t * v_stride + c]);
      HWY_UNROLL(4)
      for (int k = 0; k < kVectors; ++k) sum[t][k] = hn::MulAdd(x, w[k], sum[t][k]);
    }
  }
  HWY_UNROLL(12)
  for (int t = 0; t < kTiles; ++t) {
    HWY_UNROLL(4)
    for (int k = 0; k < kVectors; ++k) hn::Store(sum[t][k], d, p.m + t * kChunk + k * kLanes);
  }
}

// The register tile: with 32 registers 12 tiles x 2 packs of one vector = 24 sums, 2 weights and
// a broadcast; with 16 registers 6 tiles x 2 vectors (AVX2) or 3 x 4 (SSE4) = 12 sums.
constexpr bool kManyRegisters = kLanes == kPack;
constexpr int kTilesAtOnce = kManyRegisters ? 12 : (kLanes == 8 ? 6 : 3);
constexpr int kPacksAtOnce = kManyRegisters ? 2 : 1;

using Multiply = void (*)(const Product&);

template <int kVectors, int... kHeight>
HWY_INLINE Multiply multiply_of_height(int tiles, std::integer_sequence<int, kHeight...>) {
  static constexpr Multiply kTable[] = {multiply<kHeight + 1, kVectors>...};
  return kTable[tiles - 1];
}

/// A position's product for kVectors vectors of outputs and any number of tiles, as even as can be.
template <int kVectors>
HWY_INLINE void multiply_tiles(Product p, int tiles) {
  for (int passes = (tiles + kTilesAtOnce - 1) / kTilesAtOnce; passes > 0; --passes) {
    const int height = (tiles + passes - 1) / passes;
    multiply_of_height<kVectors>(height, std::make_integer_sequence<int, kTilesAtOnce>())(p);
    p.v += std::int64_t{height} * p.v_stride;
    p.m += height * kChunk;
    tiles -= height;
  }
}

/// The pixels of the block that comes next, asked for piece by piece while this one's products keep
/// the processor busy: a tile's rows lie far apart, no hardware prefetcher sees them coming, and
/// waiting for them took a quarter of the time.
struct Upcoming {
  const Conv2dCall& call;
  const WinogradGeometry& g;
  std::int64_t first;
  int tiles;

  /// The share of one of `slots` calls. A unit is one row of a tile's own columns.
  void fetch(int slot, int slots) const {
    const std::int64_t units = std::int64_t{tiles} * g.patch;
    for (std::int64_t unit = units * slot / slots; unit < units * (slot + 1) / slots; ++unit) {
      const TilePlace place = tile_place(first + unit / g.patch, g.tile, call.y.shape);
      const int h = place.p + static_cast<int>(unit % g.patch) - call.op.padding_h;
      const int w = place.q - call.op.padding_w + g.patch - g.tile;
      if (h < 0 || h >= call.x.shape.h || w >= call.x.shape.w) continue;
      const int columns = std::min(g.tile, call.x.shape.w - w);
      for (int q = 0; q < columns; ++q) {
        const float* pixel = call.x.pixel(place.n, h, w + q);
        for (int c = 0; c < g.C; c += kLine) hwy::Prefetch(pixel + c);
      }
    }
  }

  static constexpr int kLine = 16;
};

/// M of one block for the packs [first, first + packs) of output channels, position by position:
/// a position's V and U are read while they are in L1.
void multiply_block(const WinogradGeometry& g, const float* packed, int first, int packs, int tiles,
                    const WinogradScratch& scratch, const Upcoming& upcoming) {
  const std::int64_t pack_stride = std::int64_t{g.C} * kPack;
  const int passes = (g.K + kChunk - 1) / kChunk, pass = first * kPack / kChunk;
  for (int position = 0; position < g.positions(); ++position) {
    upcoming.fetch(pass * g.positions() + position, passes * g.positions());
    const float* u = packed + (std::int64_t{position} * g.padded_k / kPack + first) * pack_stride;
    Product product{scratch.v + position * g.v_stride, u, pack_stride, g.C, g.padded_c,
                    scratch.m + position * g.m_stride};
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

template <int kTile>
void transform_tile(const Conv2dCall& call, const TilePlace& place, const WinogradGeometry& g,
                    const float* zeros, float* v) {
  constexpr int kPatch = kTile + 2;
  const View<const float>& x = call.x;
  const int top = place.p - call.op.padding_h, left = place.q - call.op.padding_w;
  if (top >= 0 && left >= 0 && top + kPatch <= x.shape.h && left + kPatch <= x.shape.w) {
    const InsidePatch patch{x.pixel(place.n, top, left), x.h_stride, x.w_stride};
    return transform_input<kTile>(patch, g, v);
  }
  BorderPatch<kPatch> patch;
  for (int i = 0; i < kPatch; ++i) {
    const int h = source_index(top + i, x.shape.h, call.op.padding_mode);
    for (int j = 0; j < kPatch; ++j) {
      const int w = source_index(left + j, x.shape.w, call.op.padding_mode);
      const bool outside = h < 0 || w < 0 || h >= x.shape.h || w >= x.shape.w;
      patch.pixels[i * kPatch + j] = outside ? zeros : x.pixel(place.n, h, w);
    }
  }
  transform_input<kTile>(patch, g, v);
}

template <int kTile>
void winograd_block(const Conv2dCall& call, const WinogradGeometry& g, std::int64_t first,
                    const WinogradScratch& scratch) {
  const int tiles = static_cast<int>(std::min<std::int64_t>(g.block, g.tiles - first));
  for (int t = 0; t < tiles; ++t) {
    transform_tile<kTile>(call, tile_place(first + t, g.tile, call.y.shape), g, scratch.zeros,
                          scratch.v + std::int64_t{t} * g.padded_c);
  }
  const std::int64_t next = first + tiles;
  const Upcoming upcoming{call, g, next,
                          static_cast<int>(std::min<std::int64_t>(g.block, g.tiles - next))};
  for (int k = 0; k < g.K; k += kChunk) {
    const int packs = std::min(kChunk, g.padded_k - k) / kPack;
    multiply_block(g, call.weight.data, k / kPack, packs, tiles, scratch, upcoming);
    FinishWinogradBlock<kTile>{call, g, scratch.m, first, k, std::min(kChunk, g.K - k)}.all(tiles);
  }
}

void winograd4_block(const Conv2dCall& call, const WinogradGeometry& g, std::int64_t first,
                     const WinogradScratch& scratch) {
  winograd_block<4>(call, g, first, scratch);
}
void winograd6_block(const Conv2dCall& call, const WinogradGeometry& g, std::int64_t first,
                     const WinogradScratch& scratch) {
  winograd_block<6>(call, g, first, scratch);
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(winograd4_block);
HWY_EXPORT(winograd6_block);

namespace {

template <class Block>
void run_blocks(int tile, const Conv2dCall& call, const Block& block) {
  const WinogradGeometry g = winograd_geometry(tile, call.op, call.x.shape, call.y.shape);
  parallel_for((g.tiles + g.block - 1) / g.block, [&](std::int64_t task, int thread) {
    const WinogradScratch scratch = winograd_scratch(g, call.scratch, thread);
    std::fill_n(scratch.zeros, g.padded_c, 0.0f);
    block(call, g, task * g.block, scratch);
  });
}

}  // namespace

void conv2d_winograd4(const Conv2dCall& call) {
  run_blocks(4, call, HWY_DYNAMIC_DISPATCH(winograd4_block));
}

void conv2d_winograd6(const Conv2dCall& call) {
  run_blocks(6, call, HWY_DYNAMIC_DISPATCH(winograd6_block));
}

}  // namespace mend
#endif
