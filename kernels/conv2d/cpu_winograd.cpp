// 3x3 convolution by Winograd's minimal filtering, F(4x4,3x3) and F(6x6,3x3): m x m outputs cost
// (m+2)² products a pair of channels and not 9·m², 2.25 and 1.78 an output instead of 9.
// kernels/conv2d/winograd.h has the formulas.
//
// The direct rung is bound by its multiplications. These do a quarter or a fifth of them, and would
// be bound by memory if the transformed image went out to L3: 2 floats for each one of the image in
// either direction. So the three stages run over one block of tiles at a time, whose V and M stay in
// L2, with M for 32 output channels at a time; only U comes from L3, once a block, where L2 has no room for it.
//
// The large multipliers, powers of the points ±2, make the error, not the sums.
#include <algorithm>
#include <utility>

#include "engine/parallel.h"
#include "kernels/conv2d/row.h"
#include "kernels/conv2d/tiles_ahead.h"
#include "kernels/conv2d/winograd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv2d/cpu_winograd.cpp"
#include "kernels/conv2d/winograd_lines-inl.h"
#include "kernels/conv2d/winograd_output-inl.h"
#include "kernels/narrow_lanes-inl.h"
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
template <class T>
HWY_INLINE V load_first(D d, const T* from, int count) {
  if (count >= kLanes) return load_f32(d, from);
  HWY_ALIGN float lanes[kLanes] = {};
  for (int i = 0; i < count; ++i) lanes[i] = to_f32(from[i]);
  return hn::Load(d, lanes);
}

/// The pixels that a tile reads, all of them inside the image.
template <class T>
struct InsidePatch {
  const T* corner;
  std::int64_t row_stride, column_stride;

  HWY_INLINE const T* pixel(int i, int j) const {
    return corner + i * row_stride + j * column_stride;
  }
};

/// The pixels that a tile reads where some lie outside of the image.
template <int kPatch, class T>
struct BorderPatch {
  const T* pixels[kPatch * kPatch];

  HWY_INLINE const T* pixel(int i, int j) const { return pixels[i * kPatch + j]; }
};

/// V of one vector of a tile's channels; load(i, j): that of pixel (i, j).
template <int kTile, class Load>
HWY_INLINE void transform_channels(const Load& load, std::int64_t v_stride, float* HWY_RESTRICT v) {
  constexpr int kPatch = kTile + 2;
  const D d;
  HWY_ALIGN float columns[kPatch * kPatch * kLanes];  // [j][i]: Bᵀ d, column j
  for (int j = 0; j < kPatch; ++j) {
    V x[kPatch], t[kPatch];
    HWY_UNROLL(8)
    for (int i = 0; i < kPatch; ++i) x[i] = load(i, j);
    WinogradLines<kTile>::input(d, x, t);
    HWY_UNROLL(8)
    for (int i = 0; i < kPatch; ++i) hn::Store(t[i], d, columns + (j * kPatch + i) * kLanes);
  }
  for (int i = 0; i < kPatch; ++i) {
    V x[kPatch], t[kPatch];
    HWY_UNROLL(8)
    for (int j = 0; j < kPatch; ++j) x[j] = hn::Load(d, columns + (j * kPatch + i) * kLanes);
    WinogradLines<kTile>::input(d, x, t);
    HWY_UNROLL(8)
    for (int j = 0; j < kPatch; ++j) hn::Store(t[j], d, v + (i * kPatch + j) * v_stride);
  }
}

/// The last channels, where they do not fill a vector; apart, because a call inside of the loop over the others would
/// take the matrix's numbers out of its registers.
template <int kTile, class Patch>
HWY_NOINLINE void transform_last_channels(const Patch& patch, const WinogradGeometry& g, int c,
                                          float* v) {
  constexpr int kPatch = kTile + 2;
  const D d;
  HWY_ALIGN float x[kPatch * kPatch * kLanes];
  for (int i = 0; i < kPatch; ++i)
    for (int j = 0; j < kPatch; ++j)
      hn::Store(load_first(d, patch.pixel(i, j) + c, g.C - c), d, x + (i * kPatch + j) * kLanes);
  transform_channels<kTile>([&](int i, int j)
                                HWY_ATTR { return hn::Load(d, x + (i * kPatch + j) * kLanes); },
                            g.v_stride, v + c);
}

/// V of one tile.
template <int kTile, class Patch>
HWY_INLINE void transform_input(const Patch& patch, const WinogradGeometry& g, float* v) {
  const D d;
  int c = 0;
  for (; c + kLanes <= g.C; c += kLanes) {
    transform_channels<kTile>([&](int i, int j)
                                  HWY_ATTR { return load_f32(d, patch.pixel(i, j) + c); },
                              g.v_stride, v + c);
  }
  for (; c < g.padded_c; c += kLanes) transform_last_channels<kTile>(patch, g, c, v);
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

/// What the next stages need, asked for piece by piece while the products keep the processor busy: the next block's
/// pixels, and this block's outputs.
template <class T>
struct Ahead {
  TilesAhead<T> x, y;
  std::int64_t x_lines, y_lines;  // for each register tile

  void fetch() {
    x.fetch(x_lines);
    y.fetch(y_lines);
  }
};

int register_tiles(int tiles) { return (tiles + kTilesAtOnce - 1) / kTilesAtOnce; }

/// A position's product for kVectors vectors of outputs and any number of tiles, as even as can be.
template <int kVectors, class T>
HWY_INLINE void multiply_tiles(Product p, int tiles, Ahead<T>& ahead) {
  for (int passes = register_tiles(tiles); passes > 0; --passes) {
    const int height = (tiles + passes - 1) / passes;
    ahead.fetch();
    multiply_of_height<kVectors>(height, std::make_integer_sequence<int, kTilesAtOnce>())(p);
    p.v += std::int64_t{height} * p.v_stride;
    p.m += height * kChunk;
    tiles -= height;
  }
}

/// M of one block for the packs [first, first + packs) of output channels, position by position:
/// a position's V and U are read while they are in L1.
template <class T>
void multiply_block(const WinogradGeometry& g, const float* packed, int first, int packs, int tiles,
                    const WinogradScratch& scratch, Ahead<T>& ahead) {
  const std::int64_t pack_stride = std::int64_t{g.C} * kPack;
  for (int position = 0; position < g.positions(); ++position) {
    const float* u = packed + (std::int64_t{position} * g.padded_k / kPack + first) * pack_stride;
    Product product{scratch.v + position * g.v_stride, u, pack_stride, g.C, g.padded_c,
                    scratch.m + position * g.m_stride};
    int pack = 0;
    for (; pack + kPacksAtOnce <= packs; pack += kPacksAtOnce) {
      multiply_tiles<kPacksAtOnce * kPerPack>(product, tiles, ahead);
      product.u += kPacksAtOnce * pack_stride;
      product.m += kPacksAtOnce * kPack;
    }
    for (; pack < packs; ++pack) {
      multiply_tiles<kPerPack>(product, tiles, ahead);
      product.u += pack_stride;
      product.m += kPack;
    }
  }
}

template <int kTile, class T>
void transform_tile(const TypedConv2dCall<T>& call, const TilePlace& place,
                    const WinogradGeometry& g, const T* zeros, float* v) {
  constexpr int kPatch = kTile + 2;
  const View<const T>& x = call.x;
  const int top = place.p - call.op.padding_h, left = place.q - call.op.padding_w;
  if (top >= 0 && left >= 0 && top + kPatch <= x.shape.h && left + kPatch <= x.shape.w) {
    const InsidePatch<T> patch{x.pixel(place.n, top, left), x.h_stride, x.w_stride};
    return transform_input<kTile>(patch, g, v);
  }
  BorderPatch<kPatch, T> patch;
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

template <int kTile, class T>
void winograd_block(const TypedConv2dCall<T>& call, const WinogradGeometry& g, std::int64_t first,
                    const WinogradScratch& scratch) {
  // All bits 0 are the number 0 in every type.
  const T* const zeros = reinterpret_cast<const T*>(scratch.zeros);
  const int tiles = static_cast<int>(std::min<std::int64_t>(g.block, g.tiles - first));
  for (int t = 0; t < tiles; ++t) {
    transform_tile<kTile>(call, tile_place(first + t, g.tile, call.y.shape), g, zeros,
                          scratch.v + std::int64_t{t} * g.padded_c);
  }
  const std::int64_t next = first + tiles;
  const int next_tiles = static_cast<int>(std::min<std::int64_t>(g.block, g.tiles - next));
  const op::Conv2d& op = call.op;
  // A tile's own columns of the patch; the neighbour has brought the two before.
  const TileWindow patch{-op.padding_h, 2 - op.padding_w, kTile + 2, kTile};
  Ahead<T> ahead{{call.x, 0, g.C, call.y.shape, kTile, next, next_tiles, patch},
                 {call.y, 0, 0, call.y.shape, kTile, first, 0, {}},
                 0,
                 0};
  const int chunks = (g.K + kChunk - 1) / kChunk;
  const std::int64_t calls = std::int64_t{g.positions()} * register_tiles(tiles);
  ahead.x_lines = (ahead.x.lines() + calls * chunks - 1) / (calls * chunks);
  for (int k = 0; k < g.K; k += kChunk) {
    const int channels = std::min(kChunk, g.K - k);
    const int packs = std::min(kChunk, g.padded_k - k) / kPack;
    ahead.y = {call.y, k, channels, call.y.shape, kTile, first, tiles, {0, 0, kTile, kTile}};
    ahead.y_lines = (ahead.y.lines() + calls - 1) / calls;
    multiply_block(g, call.weight.data, k / kPack, packs, tiles, scratch, ahead);
    FinishWinogradBlock<kTile, T>{call, g, scratch.m, first, k, channels}.all(tiles);
  }
}

template <class T>
void block_of_tile(const TypedConv2dCall<T>& call, const WinogradGeometry& g, std::int64_t first,
                   const WinogradScratch& scratch) {
  if (g.tile == 4) return winograd_block<4>(call, g, first, scratch);
  winograd_block<6>(call, g, first, scratch);
}

void block_f32(const Conv2dCall& call, const WinogradGeometry& g, std::int64_t first,
               const WinogradScratch& scratch) {
  block_of_tile(call, g, first, scratch);
}
void block_f16(const TypedConv2dCall<Half>& call, const WinogradGeometry& g, std::int64_t first,
               const WinogradScratch& scratch) {
  block_of_tile(call, g, first, scratch);
}
void block_bf16(const TypedConv2dCall<BFloat16>& call, const WinogradGeometry& g,
                std::int64_t first, const WinogradScratch& scratch) {
  block_of_tile(call, g, first, scratch);
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(block_f32);
HWY_EXPORT(block_f16);
HWY_EXPORT(block_bf16);

namespace {

template <class T, class Block>
void run_blocks(int tile, const TypedConv2dCall<T>& call, const Block& block) {
  const WinogradGeometry g = winograd_geometry(tile, call.op, call.x.shape, call.y.shape);
  parallel_for((g.tiles + g.block - 1) / g.block, [&](std::int64_t task, int thread) {
    const WinogradScratch scratch = winograd_scratch(g, call.scratch, thread);
    std::fill_n(scratch.zeros, g.padded_c, 0.0f);
    block(call, g, task * g.block, scratch);
  });
}

}  // namespace

void conv2d_winograd4(const Conv2dCall& call) {
  run_blocks(4, call, HWY_DYNAMIC_DISPATCH(block_f32));
}
void conv2d_winograd4_f16(const TypedConv2dCall<Half>& call) {
  run_blocks(4, call, HWY_DYNAMIC_DISPATCH(block_f16));
}
void conv2d_winograd4_bf16(const TypedConv2dCall<BFloat16>& call) {
  run_blocks(4, call, HWY_DYNAMIC_DISPATCH(block_bf16));
}

void conv2d_winograd6(const Conv2dCall& call) {
  run_blocks(6, call, HWY_DYNAMIC_DISPATCH(block_f32));
}
void conv2d_winograd6_f16(const TypedConv2dCall<Half>& call) {
  run_blocks(6, call, HWY_DYNAMIC_DISPATCH(block_f16));
}
void conv2d_winograd6_bf16(const TypedConv2dCall<BFloat16>& call) {
  run_blocks(6, call, HWY_DYNAMIC_DISPATCH(block_bf16));
}

}  // namespace mend
#endif
