// Attention in one go, 64 queries and 64 keys at a time, the softmax carried along (Milakov &
// Gimelshein 2018, arXiv:1805.02867; FlashAttention, Dao et al. 2022, arXiv:2205.14135).
//
// What limits it: the FMAs of two thin products (the depth of a head is 10 to 64) and an exponential
// a score. So lanes are queries: QT [channels][64] and the scores [keys][64] are panels of register
// tiles (see matmul/tile-inl.h), keys and values are broadcast from where they lie, no lane idles
// for a depth of 10 or 30, and maximum and sum of the softmax go down columns, without a single
// step across lanes. QT, scores and output of a head fit L1 for usual depths. The price is a
// transposition of q and y, 4 x 4 numbers at a time, for all heads at once: a tenth of the time.
#include <hwy/cache_control.h>

#include <algorithm>

#include "kernels/attention/attend.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention/cpu_attend.cpp"
#include "kernels/exp2-inl.h"
#include "kernels/matmul/tile-inl.h"
#include "kernels/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

/// A score that no real one falls below, and finite: a row of nothing but −infinity stays countable.
constexpr float kLowest = -1e30f;

/// The scratch; rows are kMostQueries apart.
struct Workspace {
  explicit Workspace(const AttendBlock& b)
      : queries(b.scratch),
        output(queries + std::int64_t{b.heads} * b.depth * kMostQueries),
        scores(output + std::int64_t{b.heads} * b.depth_v * kMostQueries),
        start(scores + kBlockKeys * kMostQueries),
        largest(start + kBlockKeys * kMostQueries),
        sum(largest + kMostQueries) {}

  float* queries;  // [heads · depth][queries], scaled
  float* output;   // [heads · depth_v][queries]
  float* scores;   // [keys][queries], then their exponentials
  float* start;    // [keys][queries], bias and mask where they cannot be read in place
  float* largest;  // [queries]
  float* sum;      // [queries]
};

/// One head of a block: where its rows of the scratch are.
struct Head {
  Head(const AttendBlock& b, const Workspace& work, int head)
      : first(b.first + head * b.depth),
        first_v(b.first_v + head * b.depth_v),
        bias(b.bias == nullptr ? nullptr : b.bias + head * b.head_stride),
        queries(work.queries + std::int64_t{head} * b.depth * kMostQueries),
        output(work.output + std::int64_t{head} * b.depth_v * kMostQueries) {}

  int first, first_v;
  const float* bias;
  const float* queries;
  float* output;
};

#if HWY_TARGET != HWY_SCALAR
/// Rows become columns.
template <class D, class V>
HWY_INLINE void transpose4(D d, V& a, V& b, V& c, V& e) {
  const V ab = hn::InterleaveLower(d, a, b), ab2 = hn::InterleaveUpper(d, a, b);
  const V ce = hn::InterleaveLower(d, c, e), ce2 = hn::InterleaveUpper(d, c, e);
  a = hn::ConcatLowerLower(d, ce, ab);
  b = hn::ConcatUpperUpper(d, ce, ab);
  c = hn::ConcatLowerLower(d, ce2, ab2);
  e = hn::ConcatUpperUpper(d, ce2, ab2);
}
#endif

/// queries[i][t] = scale · q[t][first + i], up to the next whole vector with the last query again.
HWY_INLINE void gather_queries(const AttendBlock& b, int vectors, float* queries) {
  const int channels = b.heads * b.depth;
  const int last = b.queries - 1, padded = vectors * kTileLanes;
  int t = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::FixedTag<float, 4> d4;
  const auto scale = hn::Set(d4, b.scale);
  for (; channels >= 4 && t < padded; t += 4) {
    const float* q[4];
    for (int i = 0; i < 4; ++i) q[i] = b.q[std::min(t + i, last)] + b.first;
    for (int c = 0; c < channels; c += 4) {
      const int at = std::min(c, channels - 4);  // the last step may overlap the one before
      auto q0 = hn::Mul(scale, hn::LoadU(d4, q[0] + at));
      auto q1 = hn::Mul(scale, hn::LoadU(d4, q[1] + at));
      auto q2 = hn::Mul(scale, hn::LoadU(d4, q[2] + at));
      auto q3 = hn::Mul(scale, hn::LoadU(d4, q[3] + at));
      transpose4(d4, q0, q1, q2, q3);
      float* to = queries + at * kMostQueries + t;
      hn::StoreU(q0, d4, to);
      hn::StoreU(q1, d4, to + kMostQueries);
      hn::StoreU(q2, d4, to + 2 * kMostQueries);
      hn::StoreU(q3, d4, to + 3 * kMostQueries);
    }
  }
#endif
  for (; t < padded; ++t) {
    const float* q = b.q[std::min(t, last)] + b.first;
    for (int c = 0; c < channels; ++c) queries[c * kMostQueries + t] = b.scale * q[c];
  }
}

/// y[t][first_v + i] = output[i][t]
HWY_INLINE void scatter_outputs(const AttendBlock& b, const float* output) {
  const int channels = b.heads * b.depth_v;
  int t = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::FixedTag<float, 4> d4;
  for (; channels >= 4 && t + 4 <= b.queries; t += 4) {
    float* y[4];
    for (int i = 0; i < 4; ++i) y[i] = b.y[t + i] + b.first_v;
    for (int c = 0; c < channels; c += 4) {
      const int at = std::min(c, channels - 4);
      const float* from = output + at * kMostQueries + t;
      auto y0 = hn::LoadU(d4, from);
      auto y1 = hn::LoadU(d4, from + kMostQueries);
      auto y2 = hn::LoadU(d4, from + 2 * kMostQueries);
      auto y3 = hn::LoadU(d4, from + 3 * kMostQueries);
      transpose4(d4, y0, y1, y2, y3);
      hn::StoreU(y0, d4, y[0] + at);
      hn::StoreU(y1, d4, y[1] + at);
      hn::StoreU(y2, d4, y[2] + at);
      hn::StoreU(y3, d4, y[3] + at);
    }
  }
#endif
  for (; t < b.queries; ++t) {
    for (int c = 0; c < channels; ++c) b.y[t][b.first_v + c] = output[c * kMostQueries + t];
  }
}

/// Bias and mask of `keys` keys from `first` on, padded with zeros to whole vectors.
HWY_INLINE void write_start(const AttendBlock& b, const Head& head, int first, int keys,
                            int vectors, float* start) {
  const hn::ScalableTag<float> d;
  const auto mask = hn::Set(d, b.mask);
  for (int k = 0; k < keys; ++k) {
    const float* bias = head.bias == nullptr ? nullptr : head.bias + (first + k) * b.key_stride;
    for (int v = 0; v < vectors; ++v) {
      const int t = v * kTileLanes, count = std::min(kTileLanes, b.queries - t);
      auto value = bias == nullptr ? hn::Zero(d) : load_partial(d, bias + t, count);
      if (b.key_region != nullptr) {
        const auto region = load_partial(d, b.query_region + t, count);
        const auto differs = hn::Ne(region, hn::Set(d, b.key_region[first + k]));
        value = hn::Add(value, hn::IfThenElseZero(differs, mask));
      }
      hn::StoreU(value, d, start + k * kMostQueries + t);
    }
  }
}

/// scores[k][t] = scale · q·k + bias + mask
HWY_INLINE void write_scores(const AttendBlock& b, const Head& head, int first, int keys,
                             int vectors, const Workspace& work) {
  TileProduct product{.a = b.k + first,
                      .offset = head.first,
                      .inner = b.depth,
                      .panel = head.queries,
                      .panel_stride = kMostQueries,
                      .start = nullptr,
                      .start_stride = 0,
                      .out = work.scores,
                      .out_stride = kMostQueries};
  if (b.key_region != nullptr || (head.bias != nullptr && b.queries % kTileLanes != 0)) {
    write_start(b, head, first, keys, vectors, work.start);
    product.start = work.start;
    product.start_stride = kMostQueries;
  } else if (head.bias != nullptr) {
    product.start = head.bias + first * b.key_stride;
    product.start_stride = b.key_stride;
  }
  multiply<Walk::kRows>(keys, vectors, product);
}

/// The largest of `before` and a column of scores. Four chains, since each step waits for the last.
template <class D, class V>
HWY_INLINE V largest_score(D d, V before, const float* scores, int keys) {
  V largest[4] = {before, before, before, before};
  int k = 0;
  for (; k + 4 <= keys; k += 4) {
    HWY_UNROLL(4)
    for (int i = 0; i < 4; ++i) {
      largest[i] = hn::Max(largest[i], hn::LoadU(d, scores + (k + i) * kMostQueries));
    }
  }
  for (; k < keys; ++k) largest[0] = hn::Max(largest[0], hn::LoadU(d, scores + k * kMostQueries));
  return hn::Max(hn::Max(largest[0], largest[1]), hn::Max(largest[2], largest[3]));
}

/// Scores become exponentials of their distance from the largest so far; where that has grown, sum
/// and output shrink.
HWY_INLINE void take_exponentials(const AttendBlock& b, int first, int keys, int vectors,
                                  const Workspace& work, float* output) {
  const hn::ScalableTag<float> d;
  const auto log2e = hn::Set(d, kLog2E);
  for (int v = 0; v < vectors; ++v) {
    const int t = v * kTileLanes;
    float* scores = work.scores + t;
    const auto before = first == 0 ? hn::Set(d, kLowest) : hn::LoadU(d, work.largest + t);
    const auto largest = largest_score(d, before, scores, keys);
    const auto offset = hn::Mul(largest, log2e);
    auto sum = hn::Zero(d);
    for (int k = 0; k < keys; ++k) {
      const auto score = hn::LoadU(d, scores + k * kMostQueries);
      const auto power = exp2_of_negative_or_tiny(d, hn::MulSub(score, log2e, offset));
      hn::StoreU(power, d, scores + k * kMostQueries);
      sum = hn::Add(sum, power);
    }
    if (first > 0) {
      const auto shrink = exp2_of_negative_or_tiny(d, hn::MulSub(before, log2e, offset));
      sum = hn::MulAdd(hn::LoadU(d, work.sum + t), shrink, sum);
      for (int c = 0; c < b.depth_v; ++c) {
        float* out = output + c * kMostQueries + t;
        hn::StoreU(hn::Mul(shrink, hn::LoadU(d, out)), d, out);
      }
    }
    hn::StoreU(largest, d, work.largest + t);
    hn::StoreU(sum, d, work.sum + t);
  }
}

HWY_INLINE void divide_by_sum(const AttendBlock& b, int vectors, const Workspace& work,
                              float* output) {
  const hn::ScalableTag<float> d;
  for (int v = 0; v < vectors; ++v) {
    const int t = v * kTileLanes;
    const auto factor = hn::Div(hn::Set(d, 1.0f), hn::LoadU(d, work.sum + t));
    for (int c = 0; c < b.depth_v; ++c) {
      float* out = output + c * kMostQueries + t;
      hn::StoreU(hn::Mul(factor, hn::LoadU(d, out)), d, out);
    }
  }
}

/// Asks for one head's share of the upcoming tokens. A window's tokens lie far apart, so that no
/// hardware prefetcher sees them coming: waiting for them took a quarter of the time.
HWY_INLINE void fetch_upcoming(const AttendBlock& b, int head) {
  constexpr int kLineFloats = 16;
  const std::int64_t tokens = b.upcoming_tokens;
  for (std::int64_t t = tokens * head / b.heads; t < tokens * (head + 1) / b.heads; ++t) {
    for (int c = 0; c < b.upcoming_channels; c += kLineFloats) {
      hwy::Prefetch(b.upcoming[t] + c);
    }
  }
}

void attend_block(const AttendBlock& b) {
  const Workspace work(b);
  const int vectors = (b.queries + kTileLanes - 1) / kTileLanes;
  gather_queries(b, vectors, work.queries);
  for (int h = 0; h < b.heads; ++h) {
    const Head head(b, work, h);
    fetch_upcoming(b, h);
    for (int first = 0; first < b.keys; first += kBlockKeys) {
      const int keys = std::min(kBlockKeys, b.keys - first);
      write_scores(b, head, first, keys, vectors, work);
      take_exponentials(b, first, keys, vectors, work, head.output);
      multiply<Walk::kSteps>(b.depth_v, vectors,
                             {.a = b.v + first,
                              .offset = head.first_v,
                              .inner = keys,
                              .panel = work.scores,
                              .panel_stride = kMostQueries,
                              .start = first == 0 ? nullptr : head.output,
                              .start_stride = kMostQueries,
                              .out = head.output,
                              .out_stride = kMostQueries});
    }
    divide_by_sum(b, vectors, work, head.output);
  }
  scatter_outputs(b, work.output);
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {

HWY_EXPORT(attend_block);

void attend(const AttendBlock& block) { HWY_DYNAMIC_DISPATCH(attend_block)(block); }

std::int64_t attend_scratch_floats(int channels, int channels_v) {
  return (std::int64_t{channels} + channels_v + 2 * kBlockKeys + 2) * kMostQueries;
}

}  // namespace mend
#endif
