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
#include <algorithm>
#include <utility>

#include "engine/parallel.h"
#include "kernels/conv2d/row.h"
#include "kernels/conv2d/winograd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv2d/cpu_winograd.cpp"
#include "kernels/conv2d/epilogue-inl.h"
#include "kernels/conv2d/winograd_lines-inl.h"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
constexpr int kPack = kWinogradPack, kChunk = kWinogradChunk;
constexpr int kPerPack = kPack / kLanes;

/// The first `count` lanes from memory, zeros beyond; never touches memory beyond.
HWY_INLINE V load_first(D d, const float* from, int count) {
  if (count >= kLanes) return hn::LoadU(d, from);
  HWY_ALIGN float lanes[kLanes] = {};
  for (int i = 0; i < count; ++i) lanes[i] = from[i];
  return hn::Load(d, lanes);
}

/// V of one tile from the pixels that it reads.
template <int kTile>
void transform_input(const float* const* pixels, const WinogradGeometry& g, float* v) {
  constexpr int kPatch = kTile + 2;
  const D d;
  for (int c = 0; c < g.padded_c; c += kLanes) {
    const int count = g.C - c;
    V columns[kPatch][kPatch];  // [j][i]: Bᵀ d, column j
    for (int j = 0; j < kPatch; ++j) {
      V x[kPatch];
      if (count >= kLanes) {
        HWY_UNROLL(8)
        for (int i = 0; i < kPatch; ++i) x[i] = hn::LoadU(d, pixels[i * kPatch + j] + c);
      } else {
        for (int i = 0; i < kPatch; ++i) x[i] = load_first(d, pixels[i * kPatch + j] + c, count);
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

/// M of one block for the packs [first, first + packs) of output channels, position by position:
/// a position's V and U are read while they are in L1.
void multiply_block(const WinogradGeometry& g, const float* packed, int first, int packs, int tiles,
                    const WinogradScratch& scratch) {
  const std::int64_t pack_stride = std::int64_t{g.C} * kPack;
  for (int position = 0; position < g.positions(); ++position) {
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

/// z = Aᵀ M A + bias of one tile: [kTile²][kChunk]. m: at its first position.
template <int kTile>
void transform_output(const WinogradGeometry& g, const float* m, int channels, const float* bias,
                      float* z) {
  constexpr int kPatch = kTile + 2;
  const D d;
  for (int k = 0; k < channels; k += kLanes) {
    V lines[kTile][kPatch];  // [i][j]: Aᵀ M
    for (int j = 0; j < kPatch; ++j) {
      V x[kPatch], t[kTile];
      HWY_UNROLL(8)
      for (int i = 0; i < kPatch; ++i) x[i] = hn::Load(d, m + (i * kPatch + j) * g.m_stride + k);
      WinogradLines<kTile>::output(d, x, t);
      HWY_UNROLL(8)
      for (int i = 0; i < kTile; ++i) lines[i][j] = t[i];
    }
    const V b = hn::Load(d, bias + k);
    for (int i = 0; i < kTile; ++i) {
      V t[kTile];
      WinogradLines<kTile>::output(d, lines[i], t);
      HWY_UNROLL(8)
      for (int j = 0; j < kTile; ++j) {
        hn::Store(hn::Add(t[j], b), d, z + (i * kTile + j) * kChunk + k);
      }
    }
  }
}

/// Where a tile's outputs go: its first pixel, and how many rows and columns lie in the image.
struct TilePlace {
  int n, p, q, rows, columns;
};

TilePlace place_of(std::int64_t tile, const Conv2dCall& call, const WinogradGeometry& g) {
  const std::int64_t per_image = std::int64_t{g.tile_rows} * g.tile_columns;
  const int in_image = static_cast<int>(tile % per_image);
  TilePlace place{};
  place.n = static_cast<int>(tile / per_image);
  place.p = in_image / g.tile_columns * g.tile;
  place.q = in_image % g.tile_columns * g.tile;
  place.rows = std::min(g.tile, call.y.shape.h - place.p);
  place.columns = std::min(g.tile, call.y.shape.w - place.q);
  return place;
}

/// The patch² pixels that a tile reads.
void find_pixels(const Conv2dCall& call, const TilePlace& place, int patch, const float* zeros,
                 const float** pixels) {
  const View<const float>& x = call.x;
  for (int i = 0; i < patch; ++i) {
    const int h = source_index(place.p + i - call.op.padding_h, x.shape.h, call.op.padding_mode);
    for (int j = 0; j < patch; ++j) {
      const int w = source_index(place.q + j - call.op.padding_w, x.shape.w, call.op.padding_mode);
      const bool outside = h < 0 || w < 0 || h >= x.shape.h || w >= x.shape.w;
      pixels[i * patch + j] = outside ? zeros : x.pixel(place.n, h, w);
    }
  }
}

/// y of all tiles of a block, `channels` output channels from k on.
template <int kTile>
void finish_block(const Conv2dCall& call, const WinogradGeometry& g, const float* m,
                  std::int64_t first, int tiles, int k, int channels) {
  HWY_ALIGN float z[kTile * kTile * kChunk];
  const TileConstants<kChunk> constants(epilogue_of(call).from_channel(k), channels);
  for (int t = 0; t < tiles; ++t) {
    transform_output<kTile>(g, m + t * kChunk, channels, constants.bias, z);
    const TilePlace place = place_of(first + t, call, g);
    for (int i = 0; i < place.rows; ++i) {
      const int p = place.p + i;
      finish_tile(
          call.op.activation.kind,
          {z + i * kTile * kChunk, place.columns, kChunk, channels, constants.slope, call.op.scale,
           call.residual ? call.residual.pixel(place.n, p, place.q) + k : nullptr,
           call.residual.w_stride, call.y.pixel(place.n, p, place.q) + k, call.y.w_stride});
    }
  }
}

template <int kTile>
void winograd_block(const Conv2dCall& call, const WinogradGeometry& g, std::int64_t first,
                    const WinogradScratch& scratch) {
  constexpr int kPatch = kTile + 2;
  const int tiles = static_cast<int>(std::min<std::int64_t>(g.block, g.tiles - first));
  const float* pixels[kPatch * kPatch];
  for (int t = 0; t < tiles; ++t) {
    find_pixels(call, place_of(first + t, call, g), kPatch, scratch.zeros, pixels);
    transform_input<kTile>(pixels, g, scratch.v + std::int64_t{t} * g.padded_c);
  }
  for (int k = 0; k < g.K; k += kChunk) {
    const int packs = std::min(kChunk, g.padded_k - k) / kPack;
    multiply_block(g, call.weight.data, k / kPack, packs, tiles, scratch);
    finish_block<kTile>(call, g, scratch.m, first, tiles, k, std::min(kChunk, g.K - k));
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
