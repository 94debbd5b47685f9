// Memory traffic is all there is. Each row of y is a few stretches of pixels that lie side by side
// in x too; only dilated windows are gathered pixel by pixel.
#include <algorithm>

#include "kernels/rearrange/variants.h"
#include "kernels/rows.h"

namespace mend {
namespace {

/// Fills y, where from(n, h, w) tells from which run of x the pixels of y from (n, h, w) on come.
template <class From>
void gather_runs(View<const float> x, View<float> y, const From& from) {
  for_each_run(y.shape, [&](const Run& run) {
    for (int done = 0; done < run.count;) {
      const Run source = from(run.n, run.h, run.w + done);
      const int count = std::min(source.count, run.count - done);
      copy_run(x.pixel(source.n, source.h, source.w), x.w_stride,
               y.pixel(run.n, run.h, run.w + done), y.w_stride, count, y.shape.c);
      done += count;
    }
  });
}

}  // namespace

void roll_rows(const op::Roll& roll, View<const float> x, View<float> y) {
  const int H = x.shape.h, W = x.shape.w;
  gather_runs(x, y, [&](int n, int h, int w) {
    const int first = wrap(std::int64_t{w} - roll.shift_w, W);
    return Run{n, wrap(std::int64_t{h} - roll.shift_h, H), first, W - first};
  });
}

void window_partition_rows(const op::WindowPartition& op, View<const float> x, View<float> y) {
  const int I = x.shape.h / op.window_h, J = x.shape.w / op.window_w;
  gather_runs(x, y, [&](int window, int r, int s) {
    const int n = window / (I * J), i = window / J % I, j = window % J;
    if (op.dilated) return Run{n, r * I + i, s * J + j, 1};
    return Run{n, i * op.window_h + r, j * op.window_w + s, op.window_w - s};
  });
}

void window_merge_rows(const op::WindowMerge& op, View<const float> x, View<float> y) {
  const int window_h = x.shape.h, window_w = x.shape.w;
  const int I = y.shape.h / window_h, J = y.shape.w / window_w;
  gather_runs(x, y, [&](int n, int h, int w) {
    if (op.dilated) return Run{(n * I + h % I) * J + w % J, h / I, w / J, 1};
    return Run{(n * I + h / window_h) * J + w / window_w, h % window_h, w % window_w,
               window_w - w % window_w};
  });
}

void transpose_tiles(View<const float> x, View<float> y) {
  // A tile's rows of x and of y are a cache line each, and all 32 of them stay in L1.
  constexpr int kTile = 16;
  const int W = x.shape.w, C = x.shape.c, H = x.shape.h;
  const int tiles = (W + kTile - 1) / kTile;
  parallel_for(std::int64_t{x.shape.n} * H * tiles, [&](std::int64_t task, int) {
    const int w0 = static_cast<int>(task % tiles) * kTile, w1 = std::min(w0 + kTile, W);
    const int h = static_cast<int>(task / tiles % H), n = static_cast<int>(task / tiles / H);
    for (int c0 = 0; c0 < C; c0 += kTile) {
      const int c1 = std::min(c0 + kTile, C);
      for (int c = c0; c < c1; ++c) {
        float* to = y.pixel(n, h, c);
        for (int w = w0; w < w1; ++w) to[w] = x(n, h, w, c);
      }
    }
  });
}

}  // namespace mend
