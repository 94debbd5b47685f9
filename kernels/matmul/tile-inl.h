// Register tiles of a matrix product, for matmul and the attentions. Included once for every
// instruction set; see kernels/simd.h.
//
//   out[r,j] = start[r,j] + Σ_k a(r,k) · panel[k,j]       r < rows, j < vectors · lanes
//
// What limits it: FMAs, two vectors a cycle, as long as their operands come from registers. A tile
// keeps its sums there for the whole sum over k: each step loads `vectors` vectors of the panel,
// broadcasts `rows` numbers of a, and does rows·vectors FMAs. With AVX-512's 32 registers that is
// 6 x 4 sums + 4 + 1 = 29, with 16 registers 6 x 2 + 2 + 1 = 15. The panel should lie in L1 or L2.
//
// Every out[r,j] is one chain of FMAs in the order of k, whatever the tile's size.
#include <algorithm>
#include <cstdint>
#include <utility>

#include "kernels/simd.h"

#if defined(MEND_KERNELS_MATMUL_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_MATMUL_TILE_INL_H_
#undef MEND_KERNELS_MATMUL_TILE_INL_H_
#else
#define MEND_KERNELS_MATMUL_TILE_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int kTileLanes = static_cast<int>(hn::MaxLanes(hn::ScalableTag<float>()));
constexpr bool kTileHas32Registers = HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64;
/// The widest tile, and so the natural width of a panel.
constexpr int kTileVectors = kTileHas32Registers ? 4 : 2;
constexpr int kPanelWidth = kTileVectors * kTileLanes;
/// Rows of the highest tile of so many vectors; 12 are enough to cover the latency.
constexpr int highest_tile(int vectors) {
  return std::min(12, (kTileHas32Registers ? 24 : 12) / vectors);
}

/// How a(r,k) is found.
enum class Walk {
  kRows,   // a[r][offset + k]: pointers to rows
  kSteps,  // a[k][offset + r]: pointers to columns
};

struct TileProduct {
  const float* const* a;
  std::int64_t offset;
  int inner;  // how many k
  const float* panel;
  std::int64_t panel_stride;  // from k to k + 1
  const float* start;         // null: 0
  std::int64_t start_stride;  // from r to r + 1; 0: the same for all
  float* out;
  std::int64_t out_stride;
};

template <Walk kWalk, int kRows, int kVectors>
HWY_NOINLINE void multiply_tile(const TileProduct& p) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  V sum[kRows][kVectors];
  HWY_UNROLL(12)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; ++v) {
      sum[r][v] = p.start == nullptr ? hn::Zero(d)
                                     : hn::LoadU(d, p.start + r * p.start_stride + v * kTileLanes);
    }
  }
  const float* row[kRows];
  HWY_UNROLL(12)
  for (int r = 0; r < kRows; ++r) row[r] = kWalk == Walk::kRows ? p.a[r] + p.offset : nullptr;
  const float* panel = p.panel;
  const int inner = p.inner;
  for (int k = 0; k < inner; ++k, panel += p.panel_stride) {
    V x[kVectors];
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; ++v) x[v] = hn::LoadU(d, panel + v * kTileLanes);
    const float* step = kWalk == Walk::kSteps ? p.a[k] + p.offset : nullptr;
    HWY_UNROLL(12)
    for (int r = 0; r < kRows; ++r) {
      const V factor = hn::Set(d, kWalk == Walk::kRows ? row[r][k] : step[r]);
      HWY_UNROLL(4)
      for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(factor, x[v], sum[r][v]);
    }
  }
  HWY_UNROLL(12)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; ++v) {
      hn::StoreU(sum[r][v], d, p.out + r * p.out_stride + v * kTileLanes);
    }
  }
}

using MultiplyTile = void (*)(const TileProduct&);

template <Walk kWalk, int kVectors, int... kRows>
HWY_INLINE MultiplyTile tile_of_height(int rows, std::integer_sequence<int, kRows...>) {
  static constexpr MultiplyTile kTiles[] = {multiply_tile<kWalk, kRows + 1, kVectors>...};
  return kTiles[rows - 1];
}

/// Any number of rows, in tiles as even as can be.
template <Walk kWalk, int kVectors>
HWY_INLINE void multiply_columns(int rows, TileProduct p) {
  constexpr int kHighest = highest_tile(kVectors);
  int tiles = (rows + kHighest - 1) / kHighest;
  for (; rows > 0; --tiles) {
    const int height = (rows + tiles - 1) / tiles;
    tile_of_height<kWalk, kVectors>(height, std::make_integer_sequence<int, kHighest>())(p);
    if (kWalk == Walk::kRows) {
      p.a += height;
    } else {
      p.offset += height;
    }
    if (p.start != nullptr) p.start += height * p.start_stride;
    p.out += height * p.out_stride;
    rows -= height;
  }
}

/// Any number of rows and vectors.
template <Walk kWalk>
HWY_INLINE void multiply(int rows, int vectors, TileProduct p) {
  for (; vectors > 0; vectors -= kTileVectors) {
    switch (std::min(vectors, kTileVectors)) {
      case 1:
        multiply_columns<kWalk, 1>(rows, p);
        break;
      case 2:
        multiply_columns<kWalk, 2>(rows, p);
        break;
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
      case 3:
        multiply_columns<kWalk, 3>(rows, p);
        break;
      default:
        multiply_columns<kWalk, 4>(rows, p);
        break;
#endif
    }
    p.panel += kPanelWidth;
    p.out += kPanelWidth;
    if (p.start != nullptr) p.start += kPanelWidth;
  }
}

}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
