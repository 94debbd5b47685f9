// The steps of a transformer's layers on panels of tokens (token_panels.h). Included once for every
// instruction set; see kernels/simd.h.
//
// The product is what counts. A register tile is six rows of the weight x a strip of tokens, two
// vectors with 16 registers (12 sums + 2 vectors + 1 broadcast), four with 32 (24 + 4 + 1). A step of
// the sum over c loads the strip's vectors, broadcasts six weights that lie side by side and does 12
// FMAs: 8 loads in the 6 cycles that two FMA units take, so two load units suffice. A strip's
// channels lie side by side as well, 60 x 64 B = 3.8 kB, so both streams are the prefetcher's.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/activation/activation-inl.h"
#include "kernels/narrow_lanes-inl.h"
#include "kernels/simd.h"
#include "kernels/token_panels.h"

#if defined(MEND_KERNELS_TOKEN_PANELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_TOKEN_PANELS_INL_H_
#undef MEND_KERNELS_TOKEN_PANELS_INL_H_
#else
#define MEND_KERNELS_TOKEN_PANELS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int kTokenLanes = static_cast<int>(hn::MaxLanes(hn::ScalableTag<float>()));
static_assert(kPanelTokens % kTokenLanes == 0, "a vector lies in one block");
/// Vectors of tokens of one register tile.
constexpr int kStripVectors = HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64 ? 4 : 2;
constexpr int kStripTokens = kStripVectors * kTokenLanes;

/// Where token t's column starts in a panel of so many rows.
HWY_INLINE std::int64_t column_at(int t, int rows) {
  return std::int64_t{t / kPanelTokens} * rows * kPanelTokens + t % kPanelTokens;
}
/// From one vector of a strip to the next.
HWY_INLINE std::int64_t vector_step(int rows) {
  return kTokenLanes == kPanelTokens ? std::int64_t{rows} * kPanelTokens : kTokenLanes;
}

#if HWY_TARGET != HWY_SCALAR
/// In every block of 128 bits: four rows become four columns.
template <class D, class V>
HWY_INLINE void transpose_blocks(D d, V (&x)[4]) {
  const hn::Repartition<double, D> dd;  // moves two floats at a time
  const auto ab = hn::BitCast(dd, hn::InterleaveLower(d, x[0], x[1]));
  const auto ce = hn::BitCast(dd, hn::InterleaveLower(d, x[2], x[3]));
  const auto ab2 = hn::BitCast(dd, hn::InterleaveUpper(d, x[0], x[1]));
  const auto ce2 = hn::BitCast(dd, hn::InterleaveUpper(d, x[2], x[3]));
  x[0] = hn::BitCast(d, hn::InterleaveLower(dd, ab, ce));
  x[1] = hn::BitCast(d, hn::InterleaveUpper(dd, ab, ce));
  x[2] = hn::BitCast(d, hn::InterleaveLower(dd, ab2, ce2));
  x[3] = hn::BitCast(d, hn::InterleaveUpper(dd, ab2, ce2));
}

/// Block j of the vector: the four numbers of x[4·j] from `at` on, as they are stored. `d`: of these.
template <class D, class T>
HWY_INLINE hn::Vec<D> load_blocks(D d, const T* const* x, int at) {
  if constexpr (hn::MaxLanes(d) == 4) {
    return hn::LoadU(d, StoredLanes<T, D>::lanes(x[0] + at));
  } else {
    const hn::Half<D> half;
    return hn::Combine(d, load_blocks(half, x + hn::MaxLanes(half), at), load_blocks(half, x, at));
  }
}

/// The four numbers of y[4·j] from `at` on become block j of the vector.
template <class D, class T>
HWY_INLINE void store_blocks(D d, hn::Vec<D> v, T* const* y, int at) {
  if constexpr (hn::MaxLanes(d) == 4) {
    hn::StoreU(v, d, StoredLanes<T, D>::lanes(y[0] + at));
  } else {
    const hn::Half<D> half;
    store_blocks(half, hn::LowerHalf(half, v), y, at);
    store_blocks(half, hn::UpperHalf(half, v), y + hn::MaxLanes(half), at);
  }
}
#endif

/// panel[t][c] = x[t][c] for `tokens` tokens, a multiple of 16.
template <class T>
HWY_INLINE void gather_tokens(const T* const* x, int tokens, int C, int rows, float* panel) {
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<float> d;
  const StoredTag<T, decltype(d)> stored;
  if (C >= 4) {
    for (int t = 0; t < tokens; t += kTokenLanes) {
      float* column = panel + column_at(t, rows);
      for (int c = 0; c < C; c += 4) {
        const int at = std::min(c, C - 4);  // the last step may overlap the one before
        hn::Vec<decltype(d)> v[4];
        for (int i = 0; i < 4; ++i) v[i] = widen<T>(d, load_blocks(stored, x + t + i, at));
        transpose_blocks(d, v);
        for (int i = 0; i < 4; ++i) hn::Store(v[i], d, column + (at + i) * kPanelTokens);
      }
    }
    return;
  }
#endif
  for (int t = 0; t < tokens; ++t)
    for (int c = 0; c < C; ++c) panel[column_at(t, rows) + c * kPanelTokens] = to_f32(x[t][c]);
}

/// y[t][c] = scale · panel[t][c] + residual[t][c] for `tokens` tokens; residual may be null.
template <class T>
HWY_INLINE void scatter_tokens(const float* panel, int tokens, int C, int rows, float scale,
                               const T* const* residual, T* const* y) {
  int t = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<float> d;
  const StoredTag<T, decltype(d)> stored;
  const auto factor = hn::Set(d, scale);
  for (; C >= 4 && t + kTokenLanes <= tokens; t += kTokenLanes) {
    const float* column = panel + column_at(t, rows);
    for (int c = 0; c < C; c += 4) {
      const int at = std::min(c, C - 4);
      hn::Vec<decltype(d)> v[4];
      for (int i = 0; i < 4; ++i) v[i] = hn::Load(d, column + (at + i) * kPanelTokens);
      transpose_blocks(d, v);
      for (int i = 0; i < 4; ++i) {
        v[i] =
            residual == nullptr
                ? hn::Mul(factor, v[i])
                : hn::MulAdd(factor, v[i], widen<T>(d, load_blocks(stored, residual + t + i, at)));
        store_blocks(stored, narrow<T>(d, v[i]), y + t + i, at);
      }
    }
  }
#endif
  for (; t < tokens; ++t)
    for (int c = 0; c < C; ++c) {
      const float value = scale * panel[column_at(t, rows) + c * kPanelTokens];
      from_f32(residual == nullptr ? value : value + to_f32(residual[t][c]), y[t][c]);
    }
}

/// op::LayerNorm's parameters; absent gamma and beta are null.
struct TokenNorm {
  bool subtract_mean;
  float eps;
  const float* gamma;
  const float* beta;
};

/// One vector of tokens, rows kPanelTokens apart. Squares are summed about the mean, and what f32
/// lost of the mean is taken out afterwards, as normalization/cpu_pixels.cpp does.
HWY_INLINE void normalize_column(const TokenNorm& norm, int C, float* x) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const V zero = hn::Zero(d), count = hn::Set(d, static_cast<float>(C));
  V sum[4] = {zero, zero, zero, zero};  // each step of a chain waits for the last
  int c = 0;
  for (; c + 4 <= C; c += 4) {
    HWY_UNROLL(4)
    for (int i = 0; i < 4; ++i) sum[i] = hn::Add(sum[i], hn::Load(d, x + (c + i) * kPanelTokens));
  }
  for (; c < C; ++c) sum[0] = hn::Add(sum[0], hn::Load(d, x + c * kPanelTokens));
  const V mean = hn::Div(hn::Add(hn::Add(sum[0], sum[1]), hn::Add(sum[2], sum[3])), count);

  V first[2] = {zero, zero}, second[2] = {zero, zero};
  for (c = 0; c < C; ++c) {
    const V distance = hn::Sub(hn::Load(d, x + c * kPanelTokens), mean);
    first[0] = hn::Add(first[0], distance);
    second[0] = hn::MulAdd(distance, distance, second[0]);
    if (++c == C) break;
    const V next = hn::Sub(hn::Load(d, x + c * kPanelTokens), mean);
    first[1] = hn::Add(first[1], next);
    second[1] = hn::MulAdd(next, next, second[1]);
  }
  const V correction = hn::Div(hn::Add(first[0], first[1]), count);
  V variance = hn::NegMulAdd(correction, correction, hn::Div(hn::Add(second[0], second[1]), count));
  variance = hn::IfThenZeroElse(hn::Lt(variance, zero), variance);  // a NaN stays
  const V factor = hn::Div(hn::Set(d, 1.0f), hn::Sqrt(hn::Add(variance, hn::Set(d, norm.eps))));
  const V offset = norm.subtract_mean ? mean : zero;
  const V rest = norm.subtract_mean ? correction : zero;
  for (c = 0; c < C; ++c) {
    V value = hn::Sub(hn::Sub(hn::Load(d, x + c * kPanelTokens), offset), rest);
    value = hn::Mul(value, factor);
    if (norm.gamma != nullptr) value = hn::Mul(value, hn::Set(d, norm.gamma[c]));
    if (norm.beta != nullptr) value = hn::Add(value, hn::Set(d, norm.beta[c]));
    hn::Store(value, d, x + c * kPanelTokens);
  }
}

HWY_INLINE void normalize_tokens(const TokenNorm& norm, int tokens, int C, int rows, float* panel) {
  for (int t = 0; t < tokens; t += kTokenLanes) {
    normalize_column(norm, C, panel + column_at(t, rows));
  }
}

/// Tokens that are needed later, asked for a few at a time while the products keep the processor busy: their first use
/// would wait for memory. For L2, so that what the products have in L1 stays there.
class UpcomingTokens {
 public:
  /// `bytes`: of a token; `turns`: how often fetch() will be called, at least.
  UpcomingTokens(const void* const* tokens, int count, std::size_t bytes, int turns)
      : next_(tokens), end_(tokens + count), bytes_(bytes), at_once_((count + turns - 1) / turns) {}

  HWY_INLINE void fetch() {
    constexpr std::size_t kLine = 64;
    constexpr int kIntoL2 = 2;
    const void* const* const end = next_ + std::min<std::ptrdiff_t>(at_once_, end_ - next_);
    for (; next_ != end; ++next_) {
      const auto* token = static_cast<const std::byte*>(*next_);
      for (std::size_t at = 0; at < bytes_; at += kLine) __builtin_prefetch(token + at, 0, kIntoL2);
    }
  }

 private:
  const void* const* next_;
  const void* const* end_;
  std::size_t bytes_;
  int at_once_;
};

/// y = activation(weight · x + bias) for `tokens` tokens, a multiple of 16. Of y all whole tiles of
/// rows are written.
struct TokenProduct {
  const float* weight;  // packed
  const float* bias;    // packed, or null
  int K, C;             // rows, columns of the weight
  const float* x;
  int x_rows;
  float* y;
  int y_rows;
  int tokens;
  ActivationKind activation = ActivationKind::kNone;
  float parameter = 0;                 // of the activation
  UpcomingTokens* upcoming = nullptr;  // fetched from at each tile of rows
};

/// Columns of the weight that are summed at a time: 192 x 6 weights are 4.6 kB, a strip's 192 vectors
/// 12 kB (49 kB with AVX-512), both in L1.
constexpr int kColumnsAtATime = 192;

/// Columns [first, first + columns) of one tile's sum over one strip.
template <int kVectors>
HWY_INLINE void multiply_tile_by_strip(const float* weight, const float* bias, bool starts,
                                       int columns, const float* x, std::int64_t x_step, float* y,
                                       std::int64_t y_step) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  V sum[kTileRows][kVectors];
  HWY_UNROLL(6)
  for (int r = 0; r < kTileRows; ++r) {
    const V start = bias != nullptr ? hn::Set(d, bias[r]) : hn::Zero(d);
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; ++v) {
      sum[r][v] = starts ? start : hn::Load(d, y + r * kPanelTokens + v * y_step);
    }
  }
  for (int c = 0; c < columns; ++c, weight += kTileRows, x += kPanelTokens) {
    V token[kVectors];
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; ++v) token[v] = hn::Load(d, x + v * x_step);
    HWY_UNROLL(6)
    for (int r = 0; r < kTileRows; ++r) {
      const V factor = hn::Set(d, weight[r]);
      HWY_UNROLL(4)
      for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(factor, token[v], sum[r][v]);
    }
  }
  HWY_UNROLL(6)
  for (int r = 0; r < kTileRows; ++r) {
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; ++v) {
      hn::Store(sum[r][v], d, y + r * kPanelTokens + v * y_step);
    }
  }
}

/// The tokens [t, t + kVectors · lanes) of one tile.
template <int kVectors>
HWY_INLINE void multiply_strip(const TokenProduct& p, int row, int column, int columns, int t) {
  multiply_tile_by_strip<kVectors>(
      p.weight + (std::int64_t{row} * p.C + std::int64_t{column} * kTileRows),
      p.bias == nullptr ? nullptr : p.bias + row, column == 0, columns,
      p.x + column_at(t, p.x_rows) + std::int64_t{column} * kPanelTokens, vector_step(p.x_rows),
      p.y + column_at(t, p.y_rows) + std::int64_t{row} * kPanelTokens, vector_step(p.y_rows));
}

/// The activation of one tile's rows, which lie in L1.
struct ActivateTile {
  float* y;
  std::int64_t block_step;
  int blocks;
  float parameter;

  template <class Function>
  HWY_INLINE void operator()(Function function) const {
    const hn::ScalableTag<float> d;
    const auto slope = hn::Set(d, parameter);
    for (int b = 0; b < blocks; ++b) {
      float* block = y + b * block_step;
      for (int i = 0; i < kTileRows * kPanelTokens; i += kTokenLanes) {
        hn::Store(function(d, hn::Load(d, block + i), slope), d, block + i);
      }
    }
  }
};

HWY_NOINLINE inline void activate_tile(ActivationKind kind, const ActivateTile& tile) {
  with_activation(kind, tile);
}

HWY_NOINLINE inline void multiply_tokens(const TokenProduct& p) {
  for (int column = 0; column < p.C; column += kColumnsAtATime) {
    const int columns = std::min(kColumnsAtATime, p.C - column);
    for (int row = 0; row < p.K; row += kTileRows) {
      if (p.upcoming != nullptr) p.upcoming->fetch();
      int t = 0;
      for (; t + kStripTokens <= p.tokens; t += kStripTokens) {
        multiply_strip<kStripVectors>(p, row, column, columns, t);
      }
      if constexpr (kStripVectors > 2) {
        for (; t + 2 * kTokenLanes <= p.tokens; t += 2 * kTokenLanes) {
          multiply_strip<2>(p, row, column, columns, t);
        }
      }
      for (; t < p.tokens; t += kTokenLanes) multiply_strip<1>(p, row, column, columns, t);
      if (p.activation == ActivationKind::kNone || column + columns < p.C) continue;
      activate_tile(p.activation,
                    {p.y + std::int64_t{row} * kPanelTokens, std::int64_t{p.y_rows} * kPanelTokens,
                     p.tokens / kPanelTokens, p.parameter});
    }
  }
}

}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
