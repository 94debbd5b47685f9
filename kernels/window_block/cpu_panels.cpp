// One window at a time on panels of tokens (token_panels.h), so that partition and shift are pointers
// to its tokens: gather, norm, qkv, attention, projection, scatter. At 60 channels and 64 tokens x is
// 15 kB, q, k and v are 46 kB, the weights 58 kB: L2 holds all of it, and L1 what a step works on.
//
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
#include <hwy/cache_control.h>

#include <algorithm>

#include "engine/parallel.h"
#include "kernels/attention/windows.h"
#include "kernels/window_block/window_block.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/window_block/cpu_panels.cpp"
#include "kernels/exp2-inl.h"
#include "kernels/token_panels-inl.h"

#ifndef MEND_WINDOW_BLOCK_CPU_PANELS_ONCE
#define MEND_WINDOW_BLOCK_CPU_PANELS_ONCE
namespace mend {

/// Tokens of a window, at most.
constexpr int kWindowTokens = 64;

/// One window's tokens: pointers to them, as many as whole blocks need.
struct WindowTokens {
  const float* x[kWindowTokens];
  const float* residual[kWindowTokens];
  float* y[kWindowTokens];
  float region[kWindowTokens];  // tokens with different numbers are kept apart
  bool masked;
  /// The next window's, to be fetched into the cache meanwhile.
  const float* upcoming[2 * kWindowTokens];
  int upcoming_tokens;
};

/// One thread's panels.
struct WindowPanels {
  WindowPanels(const op::WindowBlock& op, int channels, float* memory)
      : C(channels),
        K(op.project ? op.project->outputs : channels),
        tokens(op.attention.queries()),
        padded(whole_blocks(tokens)),
        rows(whole_tiles(std::max(C, K))),
        qkv_rows(whole_tiles(3 * C)),
        panel(memory),
        qkv(panel + panel_floats(rows, padded)),
        mixed(qkv + panel_floats(qkv_rows, padded)),
        scores(mixed + panel_floats(C, padded)) {}

  /// Of one thread.
  static std::int64_t floats(const op::WindowBlock& op, int channels) {
    const int K = op.project ? op.project->outputs : channels, tokens = op.attention.queries();
    return panel_floats(std::max(channels, K), tokens) + panel_floats(3 * channels, tokens) +
           panel_floats(channels, tokens) + std::int64_t{tokens} * whole_blocks(tokens);
  }

  int C, K;
  int tokens, padded;
  int rows, qkv_rows;
  float* panel;  // x, its norm; later the projection
  float* qkv;
  float* mixed;   // the attention
  float* scores;  // of one strip
};

}  // namespace mend
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

/// A score that no real one falls below, and finite: a row of nothing but −infinity stays countable.
constexpr float kLowest = -1e30f;

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

/// scores = 2^(scores − largest) for all keys, kKeys at a time while so many are left; adds to `sum`.
template <int kKeys, int kVectors, class V>
HWY_INLINE int take_some_exponentials(const WindowPanels& work, int key, const V* largest, V* sum) {
  const hn::ScalableTag<float> d;
  const std::int64_t step = vector_step(work.tokens);
  for (; key + kKeys <= work.tokens; key += kKeys) {
    float* scores = work.scores + std::int64_t{key} * kPanelTokens;
    V power[kKeys * kVectors];
    HWY_UNROLL(4)
    for (int i = 0; i < kKeys * kVectors; ++i) {
      const int k = i / kVectors, v = i % kVectors;
      power[i] = hn::Sub(hn::Load(d, scores + k * kPanelTokens + v * step), largest[v]);
    }
    exp2_of_negative_or_tiny(d, power);
    HWY_UNROLL(4)
    for (int i = 0; i < kKeys * kVectors; ++i) {
      const int k = i / kVectors, v = i % kVectors;
      hn::Store(power[i], d, scores + k * kPanelTokens + v * step);
      sum[v] = hn::Add(sum[v], power[i]);
    }
  }
  return key;
}

template <int kVectors, class V>
HWY_INLINE void take_exponentials(const WindowPanels& work, const V* largest, V* sum) {
  const int key = take_some_exponentials<4 / kVectors, kVectors>(work, 0, largest, sum);
  take_some_exponentials<1, kVectors>(work, key, largest, sum);
}

template <int kVectors>
HWY_NOINLINE void attend_strip(const Strip& s) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const WindowPanels& work = s.work;
  V largest[kVectors], sum[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    largest[v] = hn::Set(d, kLowest);
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

/// Asks for one head's share of the next window. Its tokens lie far apart, so that no hardware
/// prefetcher sees them coming.
HWY_INLINE void fetch_upcoming(const WindowTokens& tokens, int channels, int head, int heads) {
  constexpr int kLineFloats = 16;
  const int all = tokens.upcoming_tokens;
  for (int t = all * head / heads; t < all * (head + 1) / heads; ++t) {
    for (int c = 0; c < channels; c += kLineFloats) hwy::Prefetch(tokens.upcoming[t] + c);
  }
}

void attend_window(const WindowBlockCall& call, const WindowTokens& tokens,
                   const WindowPanels& work) {
  const op::WindowAttention& attention = call.op.attention;
  const int depth = work.C / attention.heads;
  for (int head = 0; head < attention.heads; ++head) {
    fetch_upcoming(tokens, work.C, head, attention.heads);
    const float* bias = nullptr;
    if (call.bias) bias = call.bias.data + std::int64_t{head} * work.padded * work.tokens;
    Strip strip{work,
                head,
                depth,
                0,
                nullptr,
                tokens.masked ? tokens.region : nullptr,
                mask_value(attention.mask) * kLog2E};
    while (strip.first < work.padded) {
      if (bias != nullptr) strip.bias = bias + column_at(strip.first, work.tokens);
      if (strip.first + kStripTokens <= work.padded) {
        attend_strip<kStripVectors>(strip);
        strip.first += kStripTokens;
      } else {
        attend_strip<1>(strip);
        strip.first += kTokenLanes;
      }
    }
  }
}

void compute_window(const WindowBlockCall& call, const WindowTokens& tokens,
                    const WindowPanels& work) {
  const op::WindowBlock& op = call.op;
  const int C = work.C;
  gather_tokens(tokens.x, work.padded, C, work.rows, work.panel);
  normalize_tokens({op.norm.subtract_mean, op.norm.eps, call.gamma.data, call.beta.data},
                   work.padded, C, work.rows, work.panel);
  multiply_tokens({call.qkv_weight.data, call.qkv_bias.data, 3 * C, C, work.panel, work.rows,
                   work.qkv, work.qkv_rows, work.padded});
  attend_window(call, tokens, work);
  if (!op.project) {
    scatter_tokens(work.mixed, work.tokens, C, whole_tiles(C), 1, nullptr, tokens.y);
    return;
  }
  multiply_tokens({call.projection.data, call.projection_bias.data, work.K, C, work.mixed,
                   whole_tiles(C), work.panel, work.rows, work.padded});
  scatter_tokens(work.panel, work.tokens, work.K, work.rows, op.project->scale,
                 call.residual ? tokens.residual : nullptr, tokens.y);
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(compute_window);

namespace {

/// The tokens of window (i, j) of image n and where the next one's are.
void find_tokens(const WindowGrid& grid, const WindowBlockCall& call, int n, int i, int j,
                 WindowTokens& tokens) {
  const op::WindowAttention& op = grid.op;
  int t = 0;
  tokens.upcoming_tokens = 0;
  for (int r = 0; r < op.window_h; ++r)
    for (int s = 0; s < op.window_w; ++s, ++t) {
      const auto [h, w, outside] = grid.query(i, j, r, s);
      tokens.x[t] = call.x.pixel(n, h, w);
      tokens.y[t] = call.y.pixel(n, h, w);
      tokens.region[t] = static_cast<float>(grid.region(i, j, r, s));
      if (call.residual) tokens.residual[t] = call.residual.pixel(n, h, w);
      if (j + 1 == grid.J) continue;
      const auto [next_h, next_w, next_outside] = grid.query(i, j + 1, r, s);
      tokens.upcoming[tokens.upcoming_tokens++] = call.x.pixel(n, next_h, next_w);
      tokens.upcoming[tokens.upcoming_tokens++] = call.y.pixel(n, next_h, next_w);
    }
  for (int last = t - 1; t < whole_blocks(op.queries()); ++t) {
    tokens.x[t] = tokens.x[last];
    tokens.region[t] = tokens.region[last];
  }
  tokens.masked = grid.is_masked(i, j);
}

}  // namespace

std::string window_block_panels_refuses(const op::WindowBlock& op, const Shapes&) {
  if (op.attention.queries() <= kWindowTokens) return {};
  return fmt::format("takes windows of {} tokens at most; these have {}", kWindowTokens,
                     op.attention.queries());
}

std::int64_t window_block_panels_scratch(const op::WindowBlock& op, const Shapes& in) {
  return threads() * WindowPanels::floats(op, in[op::WindowBlock::kX].c) *
         std::int64_t{sizeof(float)};
}

void window_block_panels(const WindowBlockCall& call) {
  const WindowGrid grid(call.op.attention, call.x.shape);
  const int C = call.x.shape.c, windows = grid.I * grid.J;
  const std::int64_t floats = WindowPanels::floats(call.op, C);
  parallel_for(std::int64_t{call.x.shape.n} * windows, [&](std::int64_t task, int thread) {
    const WindowPanels work(call.op, C,
                            reinterpret_cast<float*>(call.scratch.data()) + thread * floats);
    const int n = static_cast<int>(task / windows), window = static_cast<int>(task % windows);
    WindowTokens tokens;
    find_tokens(grid, call, n, window / grid.J, window % grid.J, tokens);
    HWY_DYNAMIC_DISPATCH(compute_window)(call, tokens, work);
  });
}

}  // namespace mend
#endif
