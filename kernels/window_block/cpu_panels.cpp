// One window at a time on panels of tokens (token_panels.h), so that partition and shift are pointers
// to its tokens: gather, norm, qkv, attention, projection, scatter. At 60 channels and 64 tokens x is
// 15 kB, q, k and v are 46 kB, the weights 58 kB: L2 holds all of it, and L1 what a step works on.
//
// attend-inl.h has the attention.
#include "engine/parallel.h"
#include "kernels/attention/windows.h"
#include "kernels/window_block/panels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/window_block/cpu_panels.cpp"
#include "kernels/window_block/attend-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

template <class T>
void attend_window(const TypedWindowBlockCall<T>& call, const WindowTokens<T>& tokens,
                   const WindowPanels& work) {
  const op::WindowAttention& attention = call.op.attention;
  const int depth = work.C / attention.heads;
  for (int head = 0; head < attention.heads; ++head) {
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

template <class T>
void compute_window(const TypedWindowBlockCall<T>& call, const WindowTokens<T>& tokens,
                    const WindowPanels& work) {
  const op::WindowBlock& op = call.op;
  const int C = work.C;
  gather_tokens(tokens.x, work.padded, C, work.rows, work.panel);
  normalize_tokens({op.norm.subtract_mean, op.norm.eps, call.gamma.data, call.beta.data},
                   work.padded, C, work.rows, work.panel);
  UpcomingTokens upcoming(tokens.upcoming, tokens.upcoming_tokens,
                          static_cast<std::size_t>(C) * sizeof(T), whole_tiles(3 * C) / kTileRows);
  multiply_tokens({call.qkv_weight.data, call.qkv_bias.data, 3 * C, C, work.panel, work.rows,
                   work.qkv, work.qkv_rows, work.padded, ActivationKind::kNone, 0, &upcoming});
  attend_window(call, tokens, work);
  if (!op.project) {
    scatter_tokens<T>(work.mixed, work.tokens, C, whole_tiles(C), 1, nullptr, tokens.y);
    return;
  }
  multiply_tokens({call.projection.data, call.projection_bias.data, work.K, C, work.mixed,
                   whole_tiles(C), work.panel, work.rows, work.padded});
  scatter_tokens<T>(work.panel, work.tokens, work.K, work.rows, op.project->scale,
                    call.residual ? tokens.residual : nullptr, tokens.y);
}

void compute_f32(const WindowBlockCall& call, const WindowTokens<float>& tokens,
                 const WindowPanels& work) {
  compute_window(call, tokens, work);
}
void compute_f16(const TypedWindowBlockCall<Half>& call, const WindowTokens<Half>& tokens,
                 const WindowPanels& work) {
  compute_window(call, tokens, work);
}
void compute_bf16(const TypedWindowBlockCall<BFloat16>& call, const WindowTokens<BFloat16>& tokens,
                  const WindowPanels& work) {
  compute_window(call, tokens, work);
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(compute_f32);
HWY_EXPORT(compute_f16);
HWY_EXPORT(compute_bf16);

namespace {

/// The tokens of window (i, j) of image n and where the next one's are.
template <class T>
void find_tokens(const WindowGrid& grid, const TypedWindowBlockCall<T>& call, int n, int i, int j,
                 WindowTokens<T>& tokens) {
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

/// `compute`: computes one window.
template <class T, class Compute>
void run_windows(const TypedWindowBlockCall<T>& call, const Compute& compute) {
  const WindowGrid grid(call.op.attention, call.x.shape);
  const int C = call.x.shape.c, windows = grid.I * grid.J;
  const std::int64_t floats = WindowPanels::floats(call.op, C);
  parallel_for(std::int64_t{call.x.shape.n} * windows, [&](std::int64_t task, int thread) {
    const WindowPanels work(call.op, C,
                            reinterpret_cast<float*>(call.scratch.data()) + thread * floats);
    const int n = static_cast<int>(task / windows), window = static_cast<int>(task % windows);
    WindowTokens<T> tokens;
    find_tokens(grid, call, n, window / grid.J, window % grid.J, tokens);
    compute(call, tokens, work);
  });
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
  run_windows(call, HWY_DYNAMIC_DISPATCH(compute_f32));
}
void window_block_panels_f16(const TypedWindowBlockCall<Half>& call) {
  run_windows(call, HWY_DYNAMIC_DISPATCH(compute_f16));
}
void window_block_panels_bf16(const TypedWindowBlockCall<BFloat16>& call) {
  run_windows(call, HWY_DYNAMIC_DISPATCH(compute_bf16));
}

}  // namespace mend
#endif
