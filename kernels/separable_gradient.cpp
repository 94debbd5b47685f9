#include "kernels/separable_gradient.h"

#include <algorithm>

#include "engine/parallel.h"

namespace mend {
namespace {

/// sum[i] += weight · x[i]
void add_scaled(float weight, const float* x, float* sum, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) sum[i] += weight * x[i];
}

/// line = Σ over the taps of row h of dy's rows.
void sum_rows(const TransposedTaps& rows, int h, View<const float> dy, int n, float* line) {
  const int Q = dy.shape.w, C = dy.shape.c;
  std::fill_n(line, std::int64_t{Q} * C, 0.0f);
  for (const auto* tap = rows.begin(h); tap != rows.end(h); ++tap) {
    const float weight = static_cast<float>(tap->weight);
    if (dy.w_stride == C) {
      add_scaled(weight, dy.pixel(n, tap->output, 0), line, std::int64_t{Q} * C);
      continue;
    }
    for (int q = 0; q < Q; ++q) {
      add_scaled(weight, dy.pixel(n, tap->output, q), line + std::int64_t{q} * C, C);
    }
  }
}

}  // namespace

void separable_gradient_reference(const TransposedTaps& rows, const TransposedTaps& columns,
                                  View<const float> dy, View<float> dx) {
  const Shape& s = dx.shape;
  for (int n = 0; n < s.n; ++n)
    for (int h = 0; h < s.h; ++h)
      for (int w = 0; w < s.w; ++w)
        for (int c = 0; c < s.c; ++c) {
          double sum = 0;
          for (const auto* row = rows.begin(h); row != rows.end(h); ++row)
            for (const auto* column = columns.begin(w); column != columns.end(w); ++column) {
              sum += row->weight * column->weight * dy(n, row->output, column->output, c);
            }
          dx(n, h, w, c) = static_cast<float>(sum);
        }
}

std::int64_t separable_gradient_scratch(const Shape& dy) {
  const std::int64_t floats = threads() * std::int64_t{dy.w} * dy.c;
  return (floats + 1) / 2 * 2 * static_cast<std::int64_t>(sizeof(float));
}

void separable_gradient_lines(const TransposedTaps& rows, const TransposedTaps& columns,
                              View<const float> dy, View<float> dx, Scratch scratch) {
  const Shape& s = dx.shape;
  const std::int64_t line_floats = std::int64_t{dy.shape.w} * s.c;
  parallel_for(std::int64_t{s.n} * s.h, [&](std::int64_t row, int thread) {
    const int n = static_cast<int>(row / s.h), h = static_cast<int>(row % s.h);
    float* line = reinterpret_cast<float*>(scratch.data()) + thread * line_floats;
    sum_rows(rows, h, dy, n, line);
    for (int w = 0; w < s.w; ++w) {
      float* to = dx.pixel(n, h, w);
      std::fill_n(to, s.c, 0.0f);
      for (const auto* tap = columns.begin(w); tap != columns.end(w); ++tap) {
        add_scaled(static_cast<float>(tap->weight), line + std::int64_t{tap->output} * s.c, to,
                   s.c);
      }
    }
  });
}

}  // namespace mend
