// The truth: the formula of grid_sample.h, output by output, in double.
#include <cmath>
#include <limits>

#include "kernels/grid_sample/rungs.h"

namespace mend {
namespace {

/// x at a whole position, which may lie outside.
double pixel_at(const op::GridSample& op, View<const float> x, int n, double v, double u, int c) {
  v = padded_position(v, x.shape.h, op);
  u = padded_position(u, x.shape.w, op);
  if (v < 0 || v > x.shape.h - 1 || u < 0 || u > x.shape.w - 1) return 0;
  return x(n, static_cast<int>(v), static_cast<int>(u), c);
}

double sample(const op::GridSample& op, View<const float> x, int n, double v, double u, int c) {
  if (!std::isfinite(v) || !std::isfinite(u)) return std::numeric_limits<double>::quiet_NaN();
  if (op.mode != SampleMode::kBicubic) {
    // The cubic kernel reads padded pixels; the others move the position itself.
    v = padded_position(v, x.shape.h, op);
    u = padded_position(u, x.shape.w, op);
  }
  if (op.mode == SampleMode::kNearest) {
    return pixel_at(op, x, n, std::nearbyint(v), std::nearbyint(u), c);
  }
  const double top = std::floor(v), left = std::floor(u);
  const bool cubic = op.mode == SampleMode::kBicubic;
  double sum = 0;
  for (int r = cubic ? -1 : 0; r <= (cubic ? 2 : 1); ++r)
    for (int s = cubic ? -1 : 0; s <= (cubic ? 2 : 1); ++s) {
      const double row = cubic ? cubic_kernel(v - top - r) : 1 - std::abs(v - top - r);
      const double column = cubic ? cubic_kernel(u - left - s) : 1 - std::abs(u - left - s);
      if (row * column == 0) continue;  // that pixel may be NaN
      sum += row * column * pixel_at(op, x, n, top + r, left + s, c);
    }
  return sum;
}

}  // namespace

void grid_sample_reference(const op::GridSample& op, View<const float> x, View<const float> grid,
                           View<float> y) {
  for (int n = 0; n < y.shape.n; ++n)
    for (int p = 0; p < y.shape.h; ++p)
      for (int q = 0; q < y.shape.w; ++q) {
        const double u = pixel_position(grid(n, p, q, 0), x.shape.w, op.align_corners);
        const double v = pixel_position(grid(n, p, q, 1), x.shape.h, op.align_corners);
        for (int c = 0; c < y.shape.c; ++c) {
          y(n, p, q, c) = static_cast<float>(sample(op, x, n, v, u, c));
        }
      }
}

}  // namespace mend
