// Attention, head by head and a strip of 16 to 64 queries at a time:
//   scores[key][query] = bias + Σ_d k[d][key] · q[d][query]      k broadcast, six keys a tile
//   scores = 2^(scores - largest), their sum                     down columns
//   y[c][query] = Σ_key v[c][key] · scores[key][query] / sum     v broadcast, six channels a tile
// With AVX2 a strip's scores are 64 x 16 x 4 B = 4 kB. The factor scale · log2(e) is in q's weights,
// log2(e) in the packed bias, so a score is already the power of two that the softmax wants.
//
// What limits it: FMAs for two thirds, then 14 instructions a vector of scores. For heads of 10
// channels a tile's 60 FMAs come with 12 loads of the bias and 12 stores, which other tiles' FMAs hide
// in part.
//
// Included once for every instruction set; see kernels/simd.h.
#include <algorithm>

#include "kernels/exp2-inl.h"
#include "kernels/token_panels-inl.h"
#include "kernels/window_block/panels.h"

#if defined(MEND_KERNELS_WINDOW_BLOCK_ATTEND_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_WINDOW_BLOCK_ATTEND_INL_H_
#undef MEND_KERNELS_WINDOW_BLOCK_ATTEND_INL_H_
#else
#define MEND_KERNELS_WINDOW_BLOCK_ATTEND_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// A score that no real one falls below, and finite: a row of nothing but −infinity stays countable.
constexpr float kLowestScore = -1e30f;

/// One head's queries from token `first` on, as many as kVectors vectors hold.
struct Strip {
  const WindowPanels& work;
  int head, depth;
  int first;
  const float* bias;    // of the head and the first query, or null
  const float* region;  // of all tokens, null: no mask
  float mask;
};

/// Where row `row` of q, k and v has token t.
HWY_INLINE const float* qkv_at(const WindowPanels& work, int row, int t) {
  return work.qkv + column_at(t, work.qkv_rows) + std::int64_t{row} * kPanelTokens;
}

/// scores[key ... key + kKeys), which lie in one block; `largest` grows with them.
template <int kKeys, int kVectors>
HWY_INLINE void score_keys(const Strip& s, int key, hn::Vec<hn::ScalableTag<float>>* largest) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const WindowPanels& work = s.work;
  const std::int64_t step = vector_step(work.tokens), query_step = vector_step(work.qkv_rows);
  V sum[kKeys][kVectors];
  HWY_UNROLL(6)
  for (int k = 0; k < kKeys; ++k) {
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; ++v) {
      sum[k][v] = s.bias == nullptr ? hn::Zero(d)
                                    : hn::Load(d, s.bias + (key + k) * kPanelTokens + v * step);
    }
  }
  if (s.region != nullptr) {
    const V mask = hn::Set(d, s.mask);
    for (int v = 0; v < kVectors; ++v) {
      const V region = hn::LoadU(d, s.region + s.first + v * kTokenLanes);
      for (int k = 0; k < kKeys; ++k) {
        const auto differs = hn::Ne(region, hn::Set(d, s.region[key + k]));
        sum[k][v] = hn::Add(sum[k][v], hn::IfThenElseZero(differs, mask));
      }
    }
  }
  const float* q = qkv_at(work, s.head * s.depth, s.first);
  const float* k_of = qkv_at(work, work.C + s.head * s.depth, key);
  for (int c = 0; c < s.depth; ++c, q += kPanelTokens, k_of += kPanelTokens) {
    V query[kVectors];
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; ++v) query[v] = hn::Load(d, q + v * query_step);
    HWY_UNROLL(6)
    for (int k = 0; k < kKeys; ++k) {
      const V factor = hn::Set(d, k_of[k]);
      HWY_UNROLL(4)
      for (int v = 0; v < kVectors; ++v) sum[k][v] = hn::MulAdd(factor, query[v], sum[k][v]);
    }
  }
  float* scores = work.scores + std::int64_t{key} * kPanelTokens;
  HWY_UNROLL(6)
  for (int k = 0; k < kKeys; ++k) {
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; ++v) {
      largest[v] = hn::Max(largest[v], sum[k][v]);
      hn::Store(sum[k][v], d, scores + k * kPanelTokens + v * step);
    }
  }
}

/// Channels [c, c + kRows) of the head: values times the exponentials, times `share`.
template <int kRows, int kVectors>
HWY_INLINE void mix_values(const Strip& s, int c, const hn::Vec<hn::ScalableTag<float>>* share) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const WindowPanels& work = s.work;
  const std::int64_t step = vector_step(work.tokens);
  V sum[kRows][kVectors];
  HWY_UNROLL(6)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::Zero(d);
  }
  const float* scores = work.scores;
  for (int key = 0; key < work.tokens; key += kPanelTokens) {
    const float* values = qkv_at(work, 2 * work.C + s.head * s.depth + c, key);
    const int keys = std::min(kPanelTokens, work.tokens - key);
    for (int k = 0; k < keys; ++k, scores += kPanelTokens) {
      V power[kVectors];
      HWY_UNROLL(4)
      for (int v = 0; v < kVectors; ++v) power[v] = hn::Load(d, scores + v * step);
      HWY_UNROLL(6)
      for (int r = 0; r < kRows; ++r) {
        const V factor = hn::Set(d, values[r * kPanelTokens + k]);
        HWY_UNROLL(4)
        for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(factor, power[v], sum[r][v]);
      }
    }
  }
  const int C_rows = whole_tiles(work.C);
  float* y =
      work.mixed + column_at(s.first, C_rows) + std::int64_t{s.head * s.depth + c} * kPanelTokens;
  HWY_UNROLL(6)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; ++v) {
      hn::Store(hn::Mul(sum[r][v], share[v]), d, y + r * kPanelTokens + v * vector_step(C_rows));
    }
  }
}

/// Calls one of six heights.
template <int kVectors, class Vectors>
HWY_INLINE void score_some_keys(int count, const Strip& s, int key, Vectors* largest) {
  switch (count) {
    case 1:
      return score_keys<1, kVectors>(s, key, largest);
    case 2:
      return score_keys<2, kVectors>(s, key, largest);
    case 3:
      return score_keys<3, kVectors>(s, key, largest);
    case 4:
      return score_keys<4, kVectors>(s, key, largest);
    case 5:
      return score_keys<5, kVectors>(s, key, largest);
    default:
      return score_keys<6, kVectors>(s, key, largest);
  }
}
template <int kVectors, class Vectors>
HWY_INLINE void mix_some_values(int count, const Strip& s, int c, const Vectors* share) {
  switch (count) {
    case 1:
      return mix_values<1, kVectors>(s, c, share);
    case 2:
      return mix_values<2, kVectors>(s, c, share);
    case 3:
      return mix_values<3, kVectors>(s, c, share);
    case 4:
      return mix_values<4, kVectors>(s, c, share);
    case 5:
      return mix_values<5, kVectors>(s, c, share);
    default:
      return mix_values<6, kVectors>(s, c, share);
  }
}

/// Of `left` rows in tiles as even as can be, the next tile's.
HWY_INLINE int next_tile(int left) {
  const int tiles = (left + kTileRows - 1) / kTileRows;
  return (left + tiles - 1) / tiles;
}

/// scores = 2^(scores − largest) for all keys; adds to `sum`.
template <int kVectors, class V>
HWY_INLINE void take_exponentials(const WindowPanels& work, const V* largest, V* sum) {
  const hn::ScalableTag<float> d;
  const std::int64_t step = vector_step(work.tokens);
  for (int key = 0; key < work.tokens; ++key) {
    float* scores = work.scores + std::int64_t{key} * kPanelTokens;
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; ++v) {
      const V power =
          exp2_of_negative_or_tiny(d, hn::Sub(hn::Load(d, scores + v * step), largest[v]));
      hn::Store(power, d, scores + v * step);
      sum[v] = hn::Add(sum[v], power);
    }
  }
}

template <int kVectors>
HWY_NOINLINE void attend_strip(const Strip& s) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const WindowPanels& work = s.work;
  V largest[kVectors], sum[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    largest[v] = hn::Set(d, kLowestScore);
    sum[v] = hn::Zero(d);
  }
  for (int block = 0; block < work.tokens; block += kPanelTokens) {
    const int end = std::min(block + kPanelTokens, work.tokens);
    for (int key = block; key < end;) {
      const int keys = next_tile(end - key);
      score_some_keys<kVectors>(keys, s, key, largest);
      key += keys;
    }
  }
  take_exponentials<kVectors>(work, largest, sum);
  for (int v = 0; v < kVectors; ++v) sum[v] = hn::Div(hn::Set(d, 1.0f), sum[v]);
  for (int c = 0; c < s.depth;) {
    const int rows = next_tile(s.depth - c);
    mix_some_values<kVectors>(rows, s, c, sum);
    c += rows;
  }
}

}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
