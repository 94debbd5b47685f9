// Window attention: the partition, the shift and the padding of larger kv windows are pointers to
// tokens, made once for all heads of a window; attend does the rest.
#include <algorithm>

#include "engine/parallel.h"
#include "kernels/attention/attend.h"
#include "kernels/attention/variants.h"
#include "kernels/attention/windows.h"

namespace mend {
namespace {

/// One thread's memory: what attend needs, pointers to the tokens of a window and of the next one,
/// their regions, and a token of zeros.
struct Workspace {
  Workspace(const op::WindowAttention& op, int channels, std::byte* memory)
      : attend(reinterpret_cast<float*>(memory)),
        q(reinterpret_cast<const float**>(attend + attend_scratch_floats(channels, channels))),
        k(q + op.queries()),
        v(k + op.keys()),
        y(const_cast<float**>(v + op.keys())),
        upcoming(const_cast<const float**>(y + op.queries())),
        query_region(reinterpret_cast<float*>(upcoming + 4 * op.queries())),
        key_region(query_region + op.queries()),
        zeros(key_region + op.keys()) {}

  static std::int64_t bytes(const op::WindowAttention& op, int channels) {
    const std::int64_t pointers = 6 * std::int64_t{op.queries()} + 2 * std::int64_t{op.keys()};
    const std::int64_t floats = std::int64_t{op.queries()} + op.keys() + channels +
                                attend_scratch_floats(channels, channels);
    const std::int64_t total = pointers * static_cast<std::int64_t>(sizeof(float*)) +
                               floats * static_cast<std::int64_t>(sizeof(float));
    return (total + 63) / 64 * 64;  // the next thread's starts on a cache line of its own
  }

  float* attend;
  const float** q;
  const float** k;
  const float** v;
  float** y;
  const float** upcoming;
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

/// The tokens of q, k, v and y in window (i, j), in any order; returns how many.
int find_upcoming(const WindowGrid& grid, const AttentionCall& call, int n, int i, int j,
                  const float** upcoming) {
  int count = 0;
  for (int r = 0; r < grid.op.window_h; ++r)
    for (int s = 0; s < grid.op.window_w; ++s) {
      const auto [h, w, outside] = grid.query(i, j, r, s);
      upcoming[count++] = call.q.pixel(n, h, w);
      upcoming[count++] = call.k.pixel(n, h, w);
      upcoming[count++] = call.v.pixel(n, h, w);
      upcoming[count++] = call.y.pixel(n, h, w);
    }
  return count;
}

/// All heads of the queries from t on, at most kMostQueries.
void attend_queries(const op::WindowAttention& op, const AttentionCall& call, int t, bool masked,
                    int upcoming_tokens, const Workspace& work) {
  const int depth = call.q.shape.c / op.heads;
  attend({.q = work.q + t,
          .k = work.k,
          .v = work.v,
          .y = work.y + t,
          .queries = std::min(kMostQueries, op.queries() - t),
          .keys = op.keys(),
          .heads = op.heads,
          .first = 0,
          .depth = depth,
          .first_v = 0,
          .depth_v = depth,
          .scale = op.scale,
          .bias = call.bias ? &call.bias(0, 0, 0, t) : nullptr,
          .head_stride = call.bias.h_stride,
          .key_stride = call.bias.w_stride,
          .query_region = work.query_region + t,
          .key_region = masked ? work.key_region : nullptr,
          .mask = mask_value(op.mask),
          .upcoming = work.upcoming,
          .upcoming_tokens = upcoming_tokens,
          .upcoming_channels = call.q.shape.c,
          .scratch = work.attend});
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
    int upcoming = j + 1 < grid.J ? find_upcoming(grid, call, n, i, j + 1, work.upcoming) : 0;
    for (int t = 0; t < op.queries(); t += kMostQueries) {
      attend_queries(op, call, t, grid.is_masked(i, j), upcoming, work);
      upcoming = 0;
    }
  });
}

}  // namespace mend
