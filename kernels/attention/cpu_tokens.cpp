// Plain attention: a task is one head's next 64 queries, which pass by all keys.
#include <algorithm>

#include "engine/parallel.h"
#include "kernels/attention/attend.h"
#include "kernels/attention/variants.h"

namespace mend {
namespace {

/// One thread's memory: what attend needs, and pointers to tokens.
struct Workspace {
  Workspace(const op::Attention& op, const Shapes& in, std::byte* memory)
      : attend(reinterpret_cast<float*>(memory)),
        q(reinterpret_cast<const float**>(attend + attend_floats(op, in))),
        y(const_cast<float**>(q + kMostQueries)),
        k(const_cast<const float**>(y + kMostQueries)),
        v(k + in[op.kK].w) {}

  static std::int64_t attend_floats(const op::Attention& op, const Shapes& in) {
    return attend_scratch_floats(in[op.kQ].c / op.heads, in[op.kV].c / op.heads);
  }
  static std::int64_t bytes(const op::Attention& op, const Shapes& in) {
    const std::int64_t pointers = 2 * (std::int64_t{kMostQueries} + in[op.kK].w);
    const std::int64_t total = pointers * static_cast<std::int64_t>(sizeof(float*)) +
                               attend_floats(op, in) * static_cast<std::int64_t>(sizeof(float));
    return (total + 63) / 64 * 64;  // the next thread's starts on a cache line of its own
  }

  float* attend;
  const float** q;
  float** y;
  const float** k;
  const float** v;
};

/// The queries from t on of one head of matrix (n, h).
void attend_queries(const op::Attention& op, const AttentionCall& call, int n, int h, int head,
                    int t, const Workspace& work) {
  const int queries = std::min(kMostQueries, call.q.shape.w - t), keys = call.k.shape.w;
  const int depth = call.q.shape.c / op.heads, depth_v = call.v.shape.c / op.heads;
  for (int i = 0; i < queries; ++i) {
    work.q[i] = call.q.pixel(n, h, t + i);
    work.y[i] = call.y.pixel(n, h, t + i);
  }
  for (int i = 0; i < keys; ++i) {
    work.k[i] = call.k.pixel(n, h, i);
    work.v[i] = call.v.pixel(n, h, i);
  }
  attend({.q = work.q,
          .k = work.k,
          .v = work.v,
          .y = work.y,
          .queries = queries,
          .keys = keys,
          .heads = 1,
          .first = head * depth,
          .depth = depth,
          .first_v = head * depth_v,
          .depth_v = depth_v,
          .scale = op.scale,
          .bias = nullptr,
          .head_stride = 0,
          .key_stride = 0,
          .query_region = nullptr,
          .key_region = nullptr,
          .mask = 0,
          .upcoming = nullptr,
          .upcoming_tokens = 0,
          .upcoming_channels = 0,
          .scratch = work.attend});
}

}  // namespace

std::int64_t attention_fused_scratch(const op::Attention& op, const Shapes& in) {
  return threads() * Workspace::bytes(op, in);
}

void attention_fused(const op::Attention& op, const AttentionCall& call) {
  const Shapes in{call.q.shape, call.k.shape, call.v.shape};
  const std::int64_t bytes = Workspace::bytes(op, in);
  const int H = call.q.shape.h;
  const int blocks = (call.q.shape.w + kMostQueries - 1) / kMostQueries;
  parallel_for(std::int64_t{call.q.shape.n} * H * op.heads * blocks,
               [&](std::int64_t task, int thread) {
                 const Workspace work(op, in, call.scratch.data() + thread * bytes);
                 const int block = static_cast<int>(task % blocks);
                 const int head = static_cast<int>(task / blocks % op.heads);
                 const int row = static_cast<int>(task / blocks / op.heads);
                 attend_queries(op, call, row / H, row % H, head, block * kMostQueries, work);
               });
}

}  // namespace mend
