// 3x3 convolution by Winograd's minimal filtering F(4x4,3x3): 4x4 outputs cost 36 products a pair of
// channels and not 144 (Lavin & Gray 2016, arXiv:1509.09308; points 0, ±1, ±2, ∞).
//
//   input tile d [6,6,C] ── V = Bᵀ d B ──┐
//   weight g [3,3,C,K]   ── U = G g Gᵀ ──┴─ M[ξ] = V[ξ]·U[ξ] for the 36 positions ξ ── y = Aᵀ M A
//
// The direct rung is bound by its multiplications. This one does a quarter of them, and would be
// bound by memory if the transformed image went out to L3: 9 floats for each one of the image. So
// the three stages run over one block of tiles at a time, whose V and M stay in L2 beside U.
//
// Weights, once: packed[ξ][k/16][c][k%16], zeros beyond K.
// The large multipliers, powers of the points ±2, make the error, not the sums.
#include <algorithm>
#include <array>

#include "engine/parallel.h"
#include "kernels/conv2d/row.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv2d/cpu_winograd.cpp"
#include "kernels/conv2d/epilogue-inl.h"
#include "kernels/simd.h"

#ifndef MEND_WINOGRAD_GEOMETRY
#define MEND_WINOGRAD_GEOMETRY
namespace mend {

constexpr int kTile = 4, kPatch = kTile + 2, kPositions = kPatch * kPatch;
/// Output channels that lie side by side in the packed weight: one AVX-512 vector.
constexpr int kPack = kConvBlock;
/// Tiles of a block come in multiples of this, which every register tile divides.
constexpr int kTileStep = 12;

/// What does not change from block to block.
struct WinogradGeometry {
  int tile_rows, tile_columns;      // of one image
  int C, K, padded_c, padded_k;     // padded to whole packs
  int block;                        // tiles
  std::int64_t v_stride, m_stride;  // floats between two positions
  std::int64_t tiles;               // of all images
};

/// The memory of one thread.
struct WinogradScratch {
  float* v;      // [36][block][padded_c]
  float* m;      // [36][block][padded_k]
  float* zeros;  // [padded_c]: what lies outside the image
};

}  // namespace mend
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));

/// The first `count` lanes from memory, zeros beyond; never touches memory beyond.
HWY_INLINE V load_first(D d, const float* from, int count) {
  if (count >= kLanes) return hn::LoadU(d, from);
  HWY_ALIGN float lanes[kLanes] = {};
  for (int i = 0; i < count; ++i) lanes[i] = from[i];
  return hn::Load(d, lanes);
}
/// Bᵀ d for one line of six.
HWY_INLINE void input_line(D d, const V* x, V* t) {
  const V two = hn::Set(d, 2.0f), four = hn::Set(d, 4.0f), five = hn::Set(d, 5.0f);
  const V even = hn::NegMulAdd(four, x[2], x[4]), odd = hn::NegMulAdd(four, x[1], x[3]);
  const V even2 = hn::Sub(x[4], x[2]), odd2 = hn::Mul(two, hn::Sub(x[3], x[1]));
  t[0] = hn::NegMulAdd(five, x[2], hn::MulAdd(four, x[0], x[4]));
  t[1] = hn::Add(even, odd);
  t[2] = hn::Sub(even, odd);
  t[3] = hn::Add(even2, odd2);
  t[4] = hn::Sub(even2, odd2);
  t[5] = hn::NegMulAdd(five, x[3], hn::MulAdd(four, x[1], x[5]));
}

/// Aᵀ m for one line of six.
HWY_INLINE void output_line(D d, const V* m, V* y) {
  const V even = hn::Add(m[1], m[2]), odd = hn::Sub(m[1], m[2]);
  const V even2 = hn::Add(m[3], m[4]), odd2 = hn::Sub(m[3], m[4]);
  y[0] = hn::Add(hn::Add(m[0], even), even2);
  y[1] = hn::MulAdd(hn::Set(d, 2.0f), odd2, odd);
  y[2] = hn::MulAdd(hn::Set(d, 4.0f), even2, even);
  y[3] = hn::Add(hn::MulAdd(hn::Set(d, 8.0f), odd2, odd), m[5]);
}

/// V of one tile from its 36 pixels.
void transform_input(const float* const* pixels, const WinogradGeometry& g, float* v) {
  const D d;
  for (int c = 0; c < g.padded_c; c += kLanes) {
    const int count = g.C - c;
    V columns[kPatch][kPatch];  // [j][i]: Bᵀ d, column j
    for (int j = 0; j < kPatch; ++j) {
      V x[kPatch];
      if (count >= kLanes) {
        for (int i = 0; i < kPatch; ++i) x[i] = hn::LoadU(d, pixels[i * kPatch + j] + c);
      } else {
        for (int i = 0; i < kPatch; ++i) x[i] = load_first(d, pixels[i * kPatch + j] + c, count);
      }
      input_line(d, x, columns[j]);
    }
    for (int i = 0; i < kPatch; ++i) {
      V x[kPatch], t[kPatch];
      for (int j = 0; j < kPatch; ++j) x[j] = columns[j][i];
      input_line(d, x, t);
      for (int j = 0; j < kPatch; ++j) hn::Store(t[j], d, v + (i * kPatch + j) * g.v_stride + c);
    }
  }
}

/// m[t][k] = Σ_c v[t][c]·u[c][k] for kTiles tiles and kVectors vectors of output channels, which
/// lie in packs of 16: `u` and, from the second pack on, `u + pack_stride`.
template <int kTiles, int kVectors>
HWY_INLINE void multiply(const float* HWY_RESTRICT v, int v_stride, const float* HWY_RESTRICT u,
                         std::int64_t pack_stride, int C, float* HWY_RESTRICT m, int m_stride) {
  const D d;
  constexpr int kPerPack = kPack / kLanes;
  V sum[kTiles][kVectors];
  for (int t = 0; t < kTiles; ++t)
    for (int k = 0; k < kVectors; ++k) sum[t][k] = hn::Zero(d);
  for (int c = 0; c < C; ++c, u += kPack) {
    V w[kVectors];
    for (int k = 0; k < kVectors; ++k) {
      w[k] = hn::Load(d, u + (k / kPerPack) * pack_stride + (k % kPerPack) * kLanes);
    }
    for (int t = 0; t < kTiles; ++t) {
      const V x = hn::Set(d, v[t * v_stride + c]);
      for (int k = 0; k < kVectors; ++k) sum[t][k] = hn::MulAdd(x, w[k], sum[t][k]);
    }
  }
  for (int t = 0; t < kTiles; ++t)
    for (int k = 0; k < kVectors; ++k) hn::Store(sum[t][k], d, m + t * m_stride + k * kLanes);
}

// The register tile: with 32 registers 12 tiles x 2 packs of one vector = 24 sums, 2 weights and
// a broadcast; with 16 registers 6 tiles x 2 vectors (AVX2) or 3 x 4 (SSE4) = 12 sums.
constexpr bool kManyRegisters = kLanes == kPack;
constexpr int kTilesAtOnce = kManyRegisters ? 12 : (kLanes == 8 ? 6 : 3);
constexpr int kPacksAtOnce = kManyRegisters ? 2 : 1;

/// M of one block, position by position: a position's V and U are read while they are in L1.
void multiply_block(const WinogradGeometry& g, const float* packed, int tiles, const float* v,
                    float* m) {
  constexpr int kPerPack = kPack / kLanes;
  const std::int64_t pack_stride = std::int64_t{g.C} * kPack;
  const int packs = g.padded_k / kPack;
  for (int position = 0; position < kPositions; ++position) {
    const float* u = packed + position * packs * pack_stride;
    const float* v_position = v + position * g.v_stride;
    float* m_position = m + position * g.m_stride;
    int pack = 0;
    for (; pack + kPacksAtOnce <= packs; pack += kPacksAtOnce) {
      for (int t = 0; t < tiles; t += kTilesAtOnce) {
        multiply<kTilesAtOnce, kPacksAtOnce * kPerPack>(
            v_position + t * g.padded_c, g.padded_c, u + pack * pack_stride, pack_stride, g.C,
            m_position + t * g.padded_k + pack * kPack, g.padded_k);
      }
    }
    for (; pack < packs; ++pack) {
      for (int t = 0; t < tiles; t += kTilesAtOnce) {
        multiply<kTilesAtOnce, kPerPack>(v_position + t * g.padded_c, g.padded_c,
                                         u + pack * pack_stride, pack_stride, g.C,
                                         m_position + t * g.padded_k + pack * kPack, g.padded_k);
      }
    }
  }
}

/// Where a tile's outputs go: its first pixel, and how many rows and columns lie in the image.
struct TilePlace {
  int n, p, q, rows, columns;
};

/// Output channels that are finished at once; 16 pixels of them stay in L1.
constexpr int kFinish = 64;

/// z = Aᵀ M A + bias of one tile: [16][kFinish]. m: at the first of `channels` output channels.
void transform_output(const WinogradGeometry& g, const float* m, int channels, const float* bias,
                      float* z) {
  const D d;
  for (int k = 0; k < channels; k += kLanes) {
    V lines[kTile][kPatch];  // [i][j]: Aᵀ M
    for (int j = 0; j < kPatch; ++j) {
      V x[kPatch], t[kTile];
      for (int i = 0; i < kPatch; ++i) x[i] = hn::Load(d, m + (i * kPatch + j) * g.m_stride + k);
      output_line(d, x, t);
      for (int i = 0; i < kTile; ++i) lines[i][j] = t[i];
    }
    const V b = hn::Load(d, bias + k);
    for (int i = 0; i < kTile; ++i) {
      V t[kTile];
      output_line(d, lines[i], t);
      for (int j = 0; j < kTile; ++j) {
        hn::Store(hn::Add(t[j], b), d, z + (i * kTile + j) * kFinish + k);
      }
    }
  }
}

TilePlace place_of(std::int64_t tile, const Conv2dCall& call, const WinogradGeometry& g) {
  const std::int64_t per_image = std::int64_t{g.tile_rows} * g.tile_columns;
  const int in_image = static_cast<int>(tile % per_image);
  TilePlace place{};
  place.n = static_cast<int>(tile / per_image);
  place.p = in_image / g.tile_columns * kTile;
  place.q = in_image % g.tile_columns * kTile;
  place.rows = std::min(kTile, call.y.shape.h - place.p);
  place.columns = std::min(kTile, call.y.shape.w - place.q);
  return place;
}

/// The 36 pixels that a tile reads.
void find_pixels(const Conv2dCall& call, const TilePlace& place, const float* zeros,
                 const float** pixels) {
  const View<const float>& x = call.x;
  for (int i = 0; i < kPatch; ++i) {
    const int h = source_index(place.p + i - call.op.padding_h, x.shape.h, call.op.padding_mode);
    for (int j = 0; j < kPatch; ++j) {
      const int w = source_index(place.q + j - call.op.padding_w, x.shape.w, call.op.padding_mode);
      const bool outside = h < 0 || w < 0 || h >= x.shape.h || w >= x.shape.w;
      pixels[i * kPatch + j] = outside ? zeros : x.pixel(place.n, h, w);
    }
  }
}

/// y of all tiles of a block.
void finish_block(const Conv2dCall& call, const WinogradGeometry& g, const float* m,
                  std::int64_t first, int tiles) {
  HWY_ALIGN float z[kTile * kTile * kFinish];
  const ConvEpilogue epilogue = epilogue_of(call);
  for (int k = 0; k < g.K; k += kFinish) {
    const int channels = std::min(kFinish, g.K - k);
    const TileConstants<kFinish> constants(epilogue.from_channel(k), channels);
    for (int t = 0; t < tiles; ++t) {
      transform_output(g, m + t * g.padded_k + k, channels, constants.bias, z);
      const TilePlace place = place_of(first + t, call, g);
      for (int i = 0; i < place.rows; ++i) {
        const int p = place.p + i;
        finish_tile(
            call.op.activation.kind,
            {z + i * kTile * kFinish, place.columns, kFinish, channels, constants.slope,
             call.op.scale, call.residual ? call.residual.pixel(place.n, p, place.q) + k : nullptr,
             call.residual.w_stride, call.y.pixel(place.n, p, place.q) + k, call.y.w_stride});
      }
    }
  }
}

void winograd_block(const Conv2dCall& call, const WinogradGeometry& g, std::int64_t first,
                    const WinogradScratch& scratch) {
  const int tiles = static_cast<int>(std::min<std::int64_t>(g.block, g.tiles - first));
  // A last block is filled up to whole register tiles with its last tile again.
  const int filled = (tiles + kTileStep - 1) / kTileStep * kTileStep;
  const float* pixels[kPositions];
  for (int t = 0; t < filled; ++t) {
    if (t < tiles) find_pixels(call, place_of(first + t, call, g), scratch.zeros, pixels);
    transform_input(pixels, g, scratch.v + t * g.padded_c);
  }
  multiply_block(g, call.weight.data, filled, scratch.v, scratch.m);
  finish_block(call, g, scratch.m, first, tiles);
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(winograd_block);

namespace {

int round_up(int value, int step) { return (value + step - 1) / step * step; }

/// Tiles of a block: V and M take half of a 2 MB L2 at most, U has the rest.
int block_of(int padded_c, int padded_k) {
  constexpr std::int64_t kBytes = 1 << 20;
  const std::int64_t bytes_of_tile = std::int64_t{kPositions} * (padded_c + padded_k) * 4;
  const int tiles = static_cast<int>(kBytes / bytes_of_tile) / kTileStep * kTileStep;
  return std::clamp(tiles, kTileStep, 8 * kTileStep);
}

WinogradGeometry geometry_of(const op::Conv2d& op, const Shape& x, const Shape& y) {
  WinogradGeometry g{};
  g.tile_rows = (y.h + kTile - 1) / kTile;
  g.tile_columns = (y.w + kTile - 1) / kTile;
  g.C = x.c;
  g.K = op.outputs;
  g.padded_c = round_up(g.C, kPack);
  g.padded_k = round_up(g.K, kPack);
  g.block = block_of(g.padded_c, g.padded_k);
  // One cache line more, or the 36 positions of a tile would share two sets of L1.
  g.v_stride = std::int64_t{g.block} * g.padded_c + kPack;
  g.m_stride = std::int64_t{g.block} * g.padded_k + kPack;
  g.tiles = std::int64_t{y.n} * g.tile_rows * g.tile_columns;
  return g;
}

std::int64_t floats_of_thread(const WinogradGeometry& g) {
  return kPositions * (g.v_stride + g.m_stride) + g.padded_c;
}

/// U = G g Gᵀ of one pair of channels.
std::array<double, kPositions> transform_weight(const double (&g)[3][3]) {
  constexpr double kG[kPatch][3] = {{1.0 / 4, 0, 0},
                                    {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                    {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                    {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                    {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                    {0, 0, 1}};
  std::array<double, kPositions> u{};
  for (int i = 0; i < kPatch; ++i)
    for (int j = 0; j < kPatch; ++j)
      for (int r = 0; r < 3; ++r)
        for (int s = 0; s < 3; ++s) u[i * kPatch + j] += kG[i][r] * g[r][s] * kG[j][s];
  return u;
}

}  // namespace

std::string conv2d_winograd4_refuses(const op::Conv2d& op, const Shapes& in) {
  if (op.kernel_h != 3 || op.kernel_w != 3) return "needs a 3x3 kernel";
  if (op.stride != 1) return "needs stride 1";
  if (op.dilation != 1) return "needs dilation 1";
  if (op.groups != 1) return "needs a single group";
  // With few channels the transforms cost about what they save, and accuracy is lost to them.
  constexpr int kFewest = 32;
  if (in[0].c < kFewest) return "needs 32 input channels";
  return {};
}

double conv2d_winograd4_seconds(const op::Conv2d& op, const Shapes& in) {
  // Of one tile; a vector instruction counts as 32 of an FMA unit's FLOPs. About 150 of them
  // transform a vector of input channels, 130 one of outputs; the products run at 85% of peak.
  constexpr double kVectorInstruction = 32;
  const double c = round_up(in[0].c, kPack), k = round_up(op.outputs, kPack);
  const double products = 2.0 * kPositions * in[0].c * k / 0.85;
  const double transforms = (150 * c + 130 * k) / kPack * kVectorInstruction;
  const double tiles = static_cast<double>(in[0].pixels()) / (kTile * kTile);
  return tiles * (products + transforms) / NominalMachine::kFlopsPerSecond +
         op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

Shape conv2d_winograd4_packed_shape(const op::Conv2d& op, const Shape& weight) {
  return {1, kPositions, round_up(op.outputs, kPack) / kPack, weight.c * kPack};
}

void conv2d_winograd4_pack(const op::Conv2d& op, View<const float> weight, View<float> packed) {
  const int C = weight.shape.c, K = op.outputs;
  const int packs = round_up(K, kPack) / kPack;
  parallel_for(packs, [&](std::int64_t pack, int) {
    for (int c = 0; c < C; ++c) {
      for (int lane = 0; lane < kPack; ++lane) {
        const int k = static_cast<int>(pack) * kPack + lane;
        double g[3][3] = {};
        for (int r = 0; r < 3 && k < K; ++r)
          for (int s = 0; s < 3; ++s) g[r][s] = weight(k, r, s, c);
        const std::array<double, kPositions> u = transform_weight(g);
        for (int position = 0; position < kPositions; ++position) {
          packed(0, position, static_cast<int>(pack), c * kPack + lane) =
              static_cast<float>(u[position]);
        }
      }
    }
  });
}

std::int64_t conv2d_winograd4_scratch_bytes(const op::Conv2d& op, const Shapes& in) {
  return threads() * floats_of_thread(geometry_of(op, in[op::Conv2d::kX], op.shape(in))) *
         static_cast<std::int64_t>(sizeof(float));
}

void conv2d_winograd4(const Conv2dCall& call) {
  const WinogradGeometry g = geometry_of(call.op, call.x.shape, call.y.shape);
  const std::int64_t blocks = (g.tiles + g.block - 1) / g.block;
  parallel_for(blocks, [&](std::int64_t block, int thread) {
    float* memory = reinterpret_cast<float*>(call.scratch.data()) + thread * floats_of_thread(g);
    const WinogradScratch scratch{memory, memory + kPositions * g.v_stride,
                                  memory + kPositions * (g.v_stride + g.m_stride)};
    std::fill_n(scratch.zeros, g.padded_c, 0.0f);
    HWY_DYNAMIC_DISPATCH(winograd_block)(call, g, block * g.block, scratch);
  });
}

}  // namespace mend
#endif
