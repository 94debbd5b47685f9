// The whole layer for 64 tokens at a time, on panels of tokens (token_panels.h): gather, norm,
// product, activation or gate, product, scatter. All of it stays in the cache: at 60 -> 120 -> 60 channels
// x is 15 kB, the hidden features 31 kB and the weights, read once for 64 tokens, 58 kB. What remains
// is the arithmetic of the products and of the activation.
#include <algorithm>

#include "engine/parallel.h"
#include "kernels/norm_mlp/norm_mlp.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/norm_mlp/cpu_panels.cpp"
#include "kernels/token_panels-inl.h"

#ifndef MEND_NORM_MLP_CPU_PANELS_ONCE
#define MEND_NORM_MLP_CPU_PANELS_ONCE
namespace mend {

/// Tokens of one task. A weight's tile that is in L1 serves all of them.
constexpr int kMlpTokens = 64;

/// One task: pointers to tokens, as many as whole blocks need.
template <class T>
struct MlpBlock {
  const op::NormMlp& op;
  const TypedNormMlpCall<T>& call;
  int tokens;
  const T* const* x;
  const T* const* residual;  // or null
  T* const* y;
  const void* const* upcoming;  // y, and x of the next task: `upcoming_tokens` pointers
  int upcoming_tokens;
  float* panel;  // of x, then of y
  float* hidden;
};

}  // namespace mend
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

/// Rows [0, half) of a panel of `rows` rows, opened and closed by the rows behind them.
struct GateRows {
  float* panel;
  int rows, half, tokens;
  float parameter;  // of the activation

  template <class Function>
  HWY_INLINE void operator()(Function function) const {
    const hn::ScalableTag<float> d;
    const auto slope = hn::Set(d, parameter);
    for (int t = 0; t < tokens; t += kPanelTokens) {
      float* block = panel + column_at(t, rows);
      const float* other = block + std::int64_t{half} * kPanelTokens;
      for (int i = 0; i < half * kPanelTokens; i += kTokenLanes) {
        const auto opened = function(d, hn::Load(d, block + i), slope);
        hn::Store(hn::Mul(opened, hn::Load(d, other + i)), d, block + i);
      }
    }
  }
};

template <class T>
void compute_mlp(const MlpBlock<T>& b) {
  const TypedNormMlpCall<T>& call = b.call;
  const int C = call.x.shape.c, J = b.op.expand.outputs, K = b.op.contract.outputs;
  const int rows = whole_tiles(std::max(C, K)), hidden_rows = whole_tiles(J);
  const int padded = whole_blocks(b.tokens);
  gather_tokens(b.x, padded, C, rows, b.panel);
  normalize_tokens({b.op.norm.subtract_mean, b.op.norm.eps, call.gamma.data, call.beta.data},
                   padded, C, rows, b.panel);
  UpcomingTokens upcoming(b.upcoming, b.upcoming_tokens, static_cast<std::size_t>(C) * sizeof(T),
                          whole_tiles(J) / kTileRows);
  multiply_tokens({call.weight1.data, call.bias1.data, J, C, b.panel, rows, b.hidden, hidden_rows,
                   padded, b.op.expand.activation.kind, b.op.expand.activation.parameter,
                   &upcoming});
  if (b.op.gates) {
    with_activation(b.op.gate.kind,
                    GateRows{b.hidden, hidden_rows, b.op.gated(), padded, b.op.gate.parameter});
  }
  if (!b.op.contracts) {
    return scatter_tokens<T>(b.hidden, b.tokens, b.op.gated(), hidden_rows, 1, nullptr, b.y);
  }
  multiply_tokens({call.weight2.data, call.bias2.data, K, b.op.gated(), b.hidden, hidden_rows,
                   b.panel, rows, padded});
  scatter_tokens(b.panel, b.tokens, K, rows, b.op.contract.scale, b.residual, b.y);
}

void compute_f32(const MlpBlock<float>& block) { compute_mlp(block); }
void compute_f16(const MlpBlock<Half>& block) { compute_mlp(block); }
void compute_bf16(const MlpBlock<BFloat16>& block) { compute_mlp(block); }

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(compute_f32);
HWY_EXPORT(compute_f16);
HWY_EXPORT(compute_bf16);

namespace {

/// One thread's panels.
struct Panels {
  Panels(const op::NormMlp& op, int C)
      : panel(panel_floats(std::max(C, op.contract.outputs), kMlpTokens)),
        hidden(panel_floats(op.expand.outputs, kMlpTokens)) {}

  std::int64_t floats() const { return panel + hidden; }

  std::int64_t panel, hidden;
};

/// Pointers to the pixels [first, first + count), counted through all rows and images.
template <class T, class Pointer>
void find_pixels(View<T> x, std::int64_t first, int count, Pointer* pointers) {
  const Shape& s = x.shape;
  int w = static_cast<int>(first % s.w), h = static_cast<int>(first / s.w % s.h);
  int n = static_cast<int>(first / s.w / s.h);
  for (int i = 0; i < count; ++i) {
    pointers[i] = x.pixel(n, h, w);
    if (++w < s.w) continue;
    w = 0;
    if (++h < s.h) continue;
    h = 0;
    ++n;
  }
}

/// Tokens of a task: fewer where the last thread would be done so much sooner that it pays for the weights, which every
/// task reads again, and for shorter register tiles. A token's result does not depend on its neighbours.
int tokens_of_task(std::int64_t pixels) {
  struct Choice {
    int tokens;
    double seconds;  // of one token, in any unit; estimates
  };
  constexpr Choice kChoices[] = {{kMlpTokens, 1.0}, {kMlpTokens / 2, 1.15}, {kPanelTokens, 1.5}};
  const auto seconds = [&](const Choice& choice) {
    const std::int64_t tasks = (pixels + choice.tokens - 1) / choice.tokens;
    return static_cast<double>((tasks + threads() - 1) / threads() * choice.tokens) *
           choice.seconds;
  };
  const auto best = std::min_element(
      std::begin(kChoices), std::end(kChoices),
      [&](const Choice& one, const Choice& other) { return seconds(one) < seconds(other); });
  return best->tokens;
}

/// `compute`: computes one block.
template <class T, class Compute>
void run_blocks(const TypedNormMlpCall<T>& call, const Compute& compute) {
  const Panels panels(call.op, call.x.shape.c);
  const std::int64_t pixels = call.x.shape.pixels();
  const int step = tokens_of_task(pixels);
  parallel_for((pixels + step - 1) / step, [&](std::int64_t task, int thread) {
    const std::int64_t first = task * step;
    const int tokens = static_cast<int>(std::min<std::int64_t>(step, pixels - first));
    const T *x[kMlpTokens], *residual[kMlpTokens];
    const void* upcoming[2 * kMlpTokens];
    T* y[kMlpTokens];
    find_pixels(call.x, first, tokens, x);
    std::fill(x + tokens, x + whole_blocks(tokens), x[tokens - 1]);
    if (call.residual) find_pixels(call.residual, first, tokens, residual);
    find_pixels(call.y, first, tokens, y);
    const auto next = static_cast<int>(std::min<std::int64_t>(step, pixels - first - tokens));
    std::copy_n(y, tokens, upcoming);
    find_pixels(call.x, first + tokens, next, upcoming + tokens);
    float* memory = reinterpret_cast<float*>(call.scratch.data()) + thread * panels.floats();
    compute(MlpBlock<T>{call.op, call, tokens, x, call.residual ? residual : nullptr, y, upcoming,
                        tokens + next, memory, memory + panels.panel});
  });
}

}  // namespace

std::int64_t norm_mlp_panels_scratch(const op::NormMlp& op, const Shapes& in) {
  return threads() * Panels(op, in[op::NormMlp::kX].c).floats() * std::int64_t{sizeof(float)};
}

void norm_mlp_panels(const NormMlpCall& call) {
  run_blocks(call, HWY_DYNAMIC_DISPATCH(compute_f32));
}
void norm_mlp_panels_f16(const TypedNormMlpCall<Half>& call) {
  run_blocks(call, HWY_DYNAMIC_DISPATCH(compute_f16));
}
void norm_mlp_panels_bf16(const TypedNormMlpCall<BFloat16>& call) {
  run_blocks(call, HWY_DYNAMIC_DISPATCH(compute_bf16));
}

}  // namespace mend
#endif
