// The truth: the formulas of rearrange.h, pixel by pixel.
#include "kernels/rearrange/variants.h"

namespace mend {

void roll_reference(const op::Roll& roll, View<const float> x, View<float> y) {
  const auto [N, H, W, C] = x.shape;
  for (int n = 0; n < N; ++n)
    for (int h = 0; h < H; ++h)
      for (int w = 0; w < W; ++w)
        for (int c = 0; c < C; ++c) {
          y(n, wrap(std::int64_t{h} + roll.shift_h, H), wrap(std::int64_t{w} + roll.shift_w, W),
            c) = x(n, h, w, c);
        }
}

void window_partition_reference(const op::WindowPartition& op, View<const float> x, View<float> y) {
  const auto [N, H, W, C] = x.shape;
  const int I = H / op.window_h, J = W / op.window_w;
  for (int n = 0; n < N; ++n)
    for (int i = 0; i < I; ++i)
      for (int j = 0; j < J; ++j)
        for (int r = 0; r < op.window_h; ++r)
          for (int s = 0; s < op.window_w; ++s)
            for (int c = 0; c < C; ++c) {
              const int h = op.dilated ? r * I + i : i * op.window_h + r;
              const int w = op.dilated ? s * J + j : j * op.window_w + s;
              y((n * I + i) * J + j, r, s, c) = x(n, h, w, c);
            }
}

void window_merge_reference(const op::WindowMerge& op, View<const float> x, View<float> y) {
  const auto [N, H, W, C] = y.shape;
  const int window_h = x.shape.h, window_w = x.shape.w;
  const int I = H / window_h, J = W / window_w;
  for (int n = 0; n < N; ++n)
    for (int i = 0; i < I; ++i)
      for (int j = 0; j < J; ++j)
        for (int r = 0; r < window_h; ++r)
          for (int s = 0; s < window_w; ++s)
            for (int c = 0; c < C; ++c) {
              const int h = op.dilated ? r * I + i : i * window_h + r;
              const int w = op.dilated ? s * J + j : j * window_w + s;
              y(n, h, w, c) = x((n * I + i) * J + j, r, s, c);
            }
}

void transpose_reference(View<const float> x, View<float> y) {
  const auto [N, H, W, C] = x.shape;
  for (int n = 0; n < N; ++n)
    for (int h = 0; h < H; ++h)
      for (int w = 0; w < W; ++w)
        for (int c = 0; c < C; ++c) y(n, h, c, w) = x(n, h, w, c);
}

}  // namespace mend
