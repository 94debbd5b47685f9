// 3x3 convolution of 8-bit activations by Winograd's minimal filtering, F(4x4,3x3) and F(6x6,3x3), in
// whole numbers. kernels/quantized_conv2d/winograd.h has the formulas.
//
// Direct convolution with 8-bit products does 9 multiplications an output where our f32 does 1.78: four
// times the lanes would not make up for it. So the products are those of Winograd too, in 16 bits:
// 8-bit activations leave room for what the transform adds to them. One instruction multiplies two
// pairs of i16 in each lane of i32 and adds them, and a second one adds that to the sum: with AVX2 16
// products in two instructions, against 16 in two FMAs of f32; but only the first of them needs one of
// the two multipliers. Half the bytes of V and U, a quarter of those of x and y, and 16 lanes in the
// input transform make up the rest.
//
// Blocks are as in kernels/conv2d/cpu_winograd.cpp: V and M of a block of tiles stay in L2, U streams
// by once a block, or stays beside them in a large L2.
#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/parallel.h"
#include "engine/quantization.h"
#include "kernels/conv2d/row.h"
#include "kernels/quantized_conv2d/winograd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantized_conv2d/cpu_winograd.cpp"
#include "kernels/quantized_conv2d/finish-inl.h"
#include "kernels/quantized_conv2d/products-inl.h"
#include "kernels/quantized_conv2d/winograd_lines-inl.h"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

/// The first `count` codes as i16, zeros beyond; never touches memory beyond.
HWY_INLINE V16 load_codes(D16 d, const std::int8_t* from, int count) {
  const hn::Rebind<std::int8_t, D16> d8;
  HWY_ALIGN std::int8_t lanes[kLanes16] = {};
  std::memcpy(lanes, from, static_cast<std::size_t>(count));
  return hn::PromoteTo(d, hn::Load(d8, lanes));
}

/// V of one vector of a tile's channels; load(i, j): that of pixel (i, j).
template <int kTile, class Load>
HWY_INLINE void transform_channels(const Load& load, std::int64_t v_stride,
                                   std::int16_t* HWY_RESTRICT v) {
  constexpr int kPatch = kTile + 2;
  const D16 d;
  V16 columns[kPatch][kPatch];  // [j][i]: Bᵀ d, column j
  for (int j = 0; j < kPatch; ++j) {
    V16 x[kPatch];
    HWY_UNROLL(8)
    for (int i = 0; i < kPatch; ++i) x[i] = load(i, j);
    QuantizedLines<kTile>::first(d, x, columns[j]);
  }
  for (int i = 0; i < kPatch; ++i) {
    V16 x[kPatch], t[kPatch];
    HWY_UNROLL(8)
    for (int j = 0; j < kPatch; ++j) x[j] = columns[j][i];
    QuantizedLines<kTile>::second(d, x, t);
    HWY_UNROLL(8)
    for (int j = 0; j < kPatch; ++j) hn::Store(t[j], d, v + (i * kPatch + j) * v_stride);
  }
}

/// The last channels, where they do not fill a vector; apart, or their branches would be in the loop over the others.
template <int kTile>
HWY_NOINLINE void transform_last_channels(const std::int8_t* const* pixels,
                                          const QuantizedGeometry& g, int c, std::int16_t* v) {
  constexpr int kPatch = kTile + 2;
  const D16 d;
  HWY_ALIGN std::int16_t x[kPatch * kPatch * kLanes16];
  for (int i = 0; i < kPatch * kPatch; ++i)
    hn::Store(load_codes(d, pixels[i] + c, g.C - c), d, x + i * kLanes16);
  transform_channels<kTile>([&](int i, int j)
                                HWY_ATTR { return hn::Load(d, x + (i * kPatch + j) * kLanes16); },
                            g.v_stride, v + c);
}

/// V of one tile from the pixels that it reads.
template <int kTile>
void transform_input(const std::int8_t* const* pixels, const QuantizedGeometry& g,
                     std::int16_t* v) {
  constexpr int kPatch = kTile + 2;
  const D16 d;
  const hn::Rebind<std::int8_t, D16> d8;
  int c = 0;
  for (; c + kLanes16 <= g.C; c += kLanes16) {
    transform_channels<kTile>(
        [&](int i, int j)
            HWY_ATTR { return hn::PromoteTo(d, hn::LoadU(d8, pixels[i * kPatch + j] + c)); },
        g.v_stride, v + c);
  }
  for (; c < g.C; c += kLanes16) transform_last_channels<kTile>(pixels, g, c, v);
}

/// The patch² pixels that a tile reads.
void find_pixels(const QuantizedConv2dCall& call, const TilePlace& place, int patch,
                 const std::int8_t* zero, const std::int8_t** pixels) {
  const View<const std::int8_t>& x = call.x;
  const op::Conv2d& conv = call.op.conv;
  for (int i = 0; i < patch; ++i) {
    const int h = source_index(place.p + i - conv.padding_h, x.shape.h, conv.padding_mode);
    for (int j = 0; j < patch; ++j) {
      const int w = source_index(place.q + j - conv.padding_w, x.shape.w, conv.padding_mode);
      const bool outside = h < 0 || w < 0 || h >= x.shape.h || w >= x.shape.w;
      pixels[i * patch + j] = outside ? zero : x.pixel(place.n, h, w);
    }
  }
}

/// y of one row of a tile from z.
void finish_row(const QuantizedConv2dCall& call, const TilePlace& place, int row, int k,
                int channels, const ChunkConstants& constants, float* z) {
  const int p = place.p + row;
  const op::Conv2d& conv = call.op.conv;
  const float* residual = call.residual ? call.residual.pixel(place.n, p, place.q) + k : nullptr;
  FinishTile<float> finish{
      z,        place.columns,          kChunk,  channels, constants.slope, conv.scale,
      residual, call.residual.w_stride, nullptr, 0};
  if (call.y_f32) {
    finish.y = call.y_f32.pixel(place.n, p, place.q) + k;
    finish.y_stride = call.y_f32.w_stride;
    finish_tile(conv.activation.kind, finish);
    return;
  }
  const QuantizeRow quantize{z,
                             place.columns,
                             channels,
                             constants,
                             call.y_i8.pixel(place.n, p, place.q) + k,
                             call.y_i8.w_stride};
  if (conv.scale == 1.0f && residual == nullptr) {
    with_activation(conv.activation.kind, quantize);
    return;
  }
  finish.y = z;  // in place
  finish.y_stride = kChunk;
  finish_tile(conv.activation.kind, finish);
  quantize(Identity{});
}

/// y of all tiles of a block, `channels` output channels from k on.
template <int kTile>
void finish_block(const QuantizedConv2dCall& call, const QuantizedGeometry& g,
                  const QuantizedWeight& weight, const std::int32_t* m, std::int64_t first,
                  int tiles, int k, int channels) {
  HWY_ALIGN float z[kTile * kTile * kChunk];
  const op::Conv2d& conv = call.op.conv;
  const ConvEpilogue epilogue{conv.activation, conv.scale, call.bias.data, call.slope.data,
                              call.slope && call.slope.shape.c == 1};
  const ChunkConstants constants(call, epilogue, weight, k, channels);
  const ActivationKind kind = conv.activation.kind;
  const bool linear = kind == ActivationKind::kNone || kind == ActivationKind::kRelu ||
                      kind == ActivationKind::kLeakyRelu || kind == ActivationKind::kPrelu;
  if (linear && call.y_i8 && !call.residual && conv.scale == 1.0f) {
    const LinearConstants folded(constants, kind);
    for (int t = 0; t < tiles; ++t) {
      const TilePlace place = tile_place(first + t, g.tile, call.y_shape());
      finish_linear<kTile>(g, m + t * kChunk, channels, folded, place.rows, place.columns,
                           call.y_i8, call.y_i8.pixel(place.n, place.p, place.q) + k);
    }
    return;
  }
  for (int t = 0; t < tiles; ++t) {
    transform_output<kTile>(g, m + t * kChunk, channels, constants, z);
    const TilePlace place = tile_place(first + t, g.tile, call.y_shape());
    for (int i = 0; i < place.rows; ++i) {
      finish_row(call, place, i, k, channels, constants, z + i * kTile * kChunk);
    }
  }
}

template <int kTile>
void transform_block(const QuantizedConv2dCall& call, const QuantizedGeometry& g,
                     std::int64_t first, int tiles, const QuantizedScratch& scratch) {
  constexpr int kPatch = kTile + 2;
  const std::int8_t* pixels[kPatch * kPatch];
  for (int t = 0; t < tiles; ++t) {
    find_pixels(call, tile_place(first + t, g.tile, call.y_shape()), kPatch, scratch.zero, pixels);
    transform_input<kTile>(pixels, g, scratch.v + std::int64_t{t} * g.padded_c);
  }
}

/// One block of tiles. With `products`, [positions][all tiles][K], only as far as M, which it takes.
template <int kTile>
void winograd_block(const QuantizedConv2dCall& call, const QuantizedGeometry& g, std::int64_t first,
                    const QuantizedScratch& scratch, std::int32_t* products) {
  const int tiles = static_cast<int>(std::min<std::int64_t>(g.block, g.tiles - first));
  const QuantizedWeight weight = quantized_weight(g, call.packed.data);
  transform_block<kTile>(call, g, first, tiles, scratch);
  for (int k = 0; k < g.K; k += kChunk) {
    const int packs = std::min(kChunk, g.padded_k - k) / kPack;
    const int channels = std::min(kChunk, g.K - k);
    multiply_block(g, weight.u, k / kPack, packs, tiles, scratch);
    if (products == nullptr) {
      finish_block<kTile>(call, g, weight, scratch.m, first, tiles, k, channels);
      continue;
    }
    for (int position = 0; position < g.positions(); ++position) {
      for (int t = 0; t < tiles; ++t) {
        std::copy_n(scratch.m + position * g.m_stride + t * kChunk, channels,
                    products + (position * g.tiles + first + t) * g.K + k);
      }
    }
  }
}

void winograd4_block(const QuantizedConv2dCall& call, const QuantizedGeometry& g,
                     std::int64_t first, const QuantizedScratch& scratch, std::int32_t* products) {
  winograd_block<4>(call, g, first, scratch, products);
}
void winograd6_block(const QuantizedConv2dCall& call, const QuantizedGeometry& g,
                     std::int64_t first, const QuantizedScratch& scratch, std::int32_t* products) {
  winograd_block<6>(call, g, first, scratch, products);
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(winograd4_block);
HWY_EXPORT(winograd6_block);

namespace {

void run_blocks(int tile, const QuantizedConv2dCall& call, std::int32_t* products) {
  const auto block =
      tile == 4 ? HWY_DYNAMIC_DISPATCH(winograd4_block) : HWY_DYNAMIC_DISPATCH(winograd6_block);
  const QuantizedGeometry g = quantized_geometry(tile, call.op, call.x.shape, call.y_shape());
  parallel_for((g.tiles + g.block - 1) / g.block, [&](std::int64_t task, int thread) {
    block(call, g, task * g.block, quantized_scratch(g, call, thread), products);
  });
}

}  // namespace

void quantized_conv2d_winograd4(const QuantizedConv2dCall& call) { run_blocks(4, call, nullptr); }

void quantized_conv2d_winograd6(const QuantizedConv2dCall& call) { run_blocks(6, call, nullptr); }

std::vector<std::int32_t> quantized_winograd_products(int tile, const QuantizedConv2dCall& call) {
  const QuantizedGeometry g = quantized_geometry(tile, call.op, call.x.shape, call.y_shape());
  std::vector<std::int32_t> products(static_cast<std::size_t>(g.positions() * g.tiles * g.K));
  run_blocks(tile, call, products.data());
  return products;
}

}  // namespace mend
#endif
