// One window's tokens and the panels that it is computed on: what the steps of window_block/panels
// share.
#pragma once

#include <algorithm>

#include "kernels/token_panels.h"
#include "kernels/window_block/window_block.h"

namespace mend {

/// Tokens of a window, at most.
constexpr int kWindowTokens = 64;

/// One window's tokens: pointers to them, as many as whole blocks need.
template <class T>
struct WindowTokens {
  const T* x[kWindowTokens];
  const T* residual[kWindowTokens];
  T* y[kWindowTokens];
  float region[kWindowTokens];  // tokens with different numbers are kept apart
  bool masked;
  /// The next window's, to be fetched into the cache meanwhile.
  const void* upcoming[2 * kWindowTokens];
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
