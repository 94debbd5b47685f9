// The truth: the maximum or the mean of each window, in double.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/pool/variants.h"

namespace mend {
namespace {

/// The maximum (NaN if there is one) or the sum over a window of image n, channel c.
double gather(PoolKind kind, View<const float> x, int n, Window rows, Window columns, int c) {
  double result = kind == PoolKind::kMax ? -std::numeric_limits<double>::infinity() : 0.0;
  for (int h = rows.first; h < rows.last; ++h)
    for (int w = columns.first; w < columns.last; ++w) {
      const double value = x(n, h, w, c);
      if (kind == PoolKind::kAverage) {
        result += value;
      } else if (std::isnan(value) || value > result) {
        result = value;
      }
    }
  return result;
}

}  // namespace

void pool_reference(const op::Pool& pool, View<const float> x, View<float> y) {
  const double count =
      pool.kind == PoolKind::kMax ? 1.0 : static_cast<double>(pool.kernel) * pool.kernel;
  for (int n = 0; n < y.shape.n; ++n)
    for (int p = 0; p < y.shape.h; ++p)
      for (int q = 0; q < y.shape.w; ++q)
        for (int c = 0; c < y.shape.c; ++c) {
          const double sum = gather(pool.kind, x, n, pool_window(pool, p, x.shape.h),
                                    pool_window(pool, q, x.shape.w), c);
          y(n, p, q, c) = static_cast<float>(sum / count);
        }
}

void adaptive_pool_reference(const op::AdaptivePool& pool, View<const float> x, View<float> y,
                             Scratch) {
  for (int n = 0; n < y.shape.n; ++n)
    for (int p = 0; p < y.shape.h; ++p)
      for (int q = 0; q < y.shape.w; ++q)
        for (int c = 0; c < y.shape.c; ++c) {
          const Window rows = adaptive_window(p, pool.height, x.shape.h);
          const Window columns = adaptive_window(q, pool.width, x.shape.w);
          const double count =
              pool.kind == PoolKind::kMax
                  ? 1.0
                  : static_cast<double>(rows.last - rows.first) * (columns.last - columns.first);
          y(n, p, q, c) = static_cast<float>(gather(pool.kind, x, n, rows, columns, c) / count);
        }
}

void box_mean_reference(const op::BoxMean& box, View<const float> x, View<float> y, Scratch) {
  for (int n = 0; n < y.shape.n; ++n)
    for (int p = 0; p < y.shape.h; ++p)
      for (int q = 0; q < y.shape.w; ++q)
        for (int c = 0; c < y.shape.c; ++c) {
          const Window rows = box_window(box.kernel_h, p, x.shape.h);
          const Window columns = box_window(box.kernel_w, q, x.shape.w);
          const double count =
              static_cast<double>(rows.last - rows.first) * (columns.last - columns.first);
          const double sum = gather(PoolKind::kAverage, x, n, rows, columns, c);
          y(n, p, q, c) = static_cast<float>(sum / count);
        }
}

}  // namespace mend
