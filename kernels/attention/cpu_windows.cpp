// Window attention: the partition, the shift and the padding of larger kv windows are pointers to
// tokens, made once for all heads of a window; attend does the rest.
#include <algorithm>

#include "engine/parallel.h"
#include "kernels/attention/attend.h"
#include "kernels/attention/variants.h"
#include "kernels/attention/windows.h"

namespace mend {
namespace {

/// One thread's memory: what attend needs, pointers to the tokens of a window, their regions, and a
/// token of zeros.
struct Workspace {
  Workspace(const op::WindowAttention& op, int channels, std::byte* memory)
      : attend(reinterpret_cast<float*>(memory)),
        q(reinterpret_cast<const float**>(attend + attend_floats(op, channels))),
        k(q + op.queries()),
        v(k + op.keys()),
        y(const_cast<float**>(v + op.keys())),
        query_region(reinterpret_cast<float*>(y + op.queries())),
        key_region(query_region + op.queries()),
        zeros(key_region + op.keys()) {}

  static std::int64_t attend_floats(const op::WindowAttention& op, int channels) {
    return attend_scratch_floats(channels / op.heads, channels / op.heads);
  }

  static std::int64_t bytes(const op::WindowAttention& op, int channels) {
    const std::int64_t tokens = std::int64_t{op.queries()} + op.keys();
    const std::int64_t floats = tokens + channels + attend_floats(op, channels);
    const std::int64_t total = 2 * tokens * static_cast<std::int64_t>(sizeof(float*)) +
                               floats * static_cast<std::int64_t>(sizeof(float));
    return (total + 63) / 64 * 64;  // the next thread's starts on a cache line of its own
  }

  float* attend;
  const float** q;
  const float** k;
  const float** v;
  float** y;
  float* query_region;
  float* key_region;
  float* zeros;
};

void find_tokens(const WindowGrid& grid, const AttentionCall& call, int n, int i, int j,
                 const Workspace& work) {
  const op::WindowAttention& op = grid.op;
  int t = 0;
  for (int r = 0; r < op.window_h; ++r)
    for (int s = 0; s < op.window_w; ++s, ++t) {
      const auto [h, w, outside] = grid.query(i, j, r, s);
      work.q[t] = call.q.pixel(n, h, w);
      work.y[t] = call.y.pixel(n, h, w);
      work.query_region[t] = static_cast<float>(grid.region(i, j, r, s));
    }
  t = 0;
  for (int r = 0; r < op.key_window_h(); ++r)
    for (int s = 0; s < op.key_window_w(); ++s, ++t) {
      const auto [h, w, outside] = grid.key(i, j, r, s);
      work.k[t] = outside ? work.zeros : call.k.pixel(n, h, w);
      work.v[t] = outside ? work.zeros : call.v.pixel(n, h, w);
      work.key_region[t] = static_cast<float>(grid.region(i, j, r, s));
    }
  std::fill_n(work.zeros, call.k.shape.c, 0.0f);
}

/// All queries of one head, kMostQueries at a time.
void attend_head(const WindowGrid& grid, const AttentionCall& call, int head, bool masked,
                 const Workspace& work) {
  const op::WindowAttention& op = grid.op;
  const int depth = call.q.shape.c / op.heads, T = op.queries();
  for (int t = 0; t < T; t += kMostQueries) {
    attend({.q = work.q + t,
            .k = work.k,
            .v = work.v,
            .y = work.y + t,
            .queries = std::min(kMostQueries, T - t),
            .keys = op.keys(),
            .first = head * depth,
            .depth = depth,
            .first_v = head * depth,
            .depth_v = depth,
            .scale = op.scale,
            .bias = call.bias ? &call.bias(0, head, 0, t) : nullptr,
            .bias_stride = call.bias.w_stride,
            .query_region = work.query_region + t,
            .key_region = masked ? work.key_region : nullptr,
            .mask = mask_value(op.mask),
            .scratch = work.attend});
  }
}

}  // namespace

std::int64_t window_attention_fused_scratch(const op::WindowAttention& op, const Shapes& in) {
  return threads() * Workspace::bytes(op, in[op.kQ].c);
}

void window_attention_fused(const op::WindowAttention& op, const AttentionCall& call) {
  const WindowGrid grid(op, call.q.shape);
  const int C = call.q.shape.c, windows = grid.I * grid.J;
  parallel_for(std::int64_t{call.q.shape.n} * windows, [&](std::int64_t task, int thread) {
    const Workspace work(op, C, call.scratch.data() + thread * Workspace::bytes(op, C));
    const int n = static_cast<int>(task / windows), window = static_cast<int>(task % windows);
    const int i = window / grid.J, j = window % grid.J;
    find_tokens(grid, call, n, i, j, work);
    for (int head = 0; head < op.heads; ++head) {
      attend_head(grid, call, head, grid.is_masked(i, j), work);
    }
  });
}

}  // namespace mend
