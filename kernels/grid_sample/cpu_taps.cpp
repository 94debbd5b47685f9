// For every output the geometry is worked out once, in double (a float position in the middle of a
// 4000 pixel side is 1e-4 of a pixel off), as a list of pixels and weights; then the channels are
// summed a vector at a time.
#include <cmath>
#include <limits>

#include "kernels/grid_sample/rungs.h"
#include "kernels/rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/grid_sample/cpu_taps.cpp"
#include "kernels/weighted_pixels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

void sample_pixel(const WeightedPixels& pixels, int channels, float* y) {
  sum_pixels(pixels, 0, channels, y);
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(sample_pixel);

namespace {

/// The indices along one side that an output reads, and their weights; −1 is outside.
struct Taps {
  int index[4];
  double weight[4];
  int count;
};

/// A whole position as an index.
int index_of(double whole, int extent, const op::GridSample& op) {
  const double inside = padded_position(whole, extent, op);
  return inside >= 0 && inside <= extent - 1 ? static_cast<int>(inside) : -1;
}

Taps taps_at(double position, int extent, const op::GridSample& op) {
  if (op.mode != SampleMode::kBicubic) position = padded_position(position, extent, op);
  if (op.mode == SampleMode::kNearest) {
    return {{index_of(std::nearbyint(position), extent, op)}, {1}, 1};
  }
  const double first = std::floor(position), rest = position - first;
  if (op.mode == SampleMode::kBilinear) {
    return {{index_of(first, extent, op), index_of(first + 1, extent, op)}, {1 - rest, rest}, 2};
  }
  Taps taps{{}, {}, 4};
  for (int i = 0; i < 4; ++i) {
    taps.index[i] = index_of(first + i - 1, extent, op);
    taps.weight[i] = cubic_kernel(rest + 1 - i);
  }
  return taps;
}

WeightedPixels pixels_at(View<const float> x, int n, const Taps& rows, const Taps& columns) {
  WeightedPixels pixels;
  for (int r = 0; r < rows.count; ++r)
    for (int s = 0; s < columns.count; ++s) {
      if (rows.index[r] < 0 || columns.index[s] < 0) continue;
      pixels.add(x.pixel(n, rows.index[r], columns.index[s]), rows.weight[r] * columns.weight[s]);
    }
  return pixels;
}

}  // namespace

void grid_sample_taps(const op::GridSample& op, View<const float> x, View<const float> grid,
                      View<float> y) {
  for_each_run(y.shape, [&](const Run& run) {
    for (int q = run.w; q < run.w + run.count; ++q) {
      const float* at = grid.pixel(run.n, run.h, q);
      const double u = pixel_position(at[0], x.shape.w, op.align_corners);
      const double v = pixel_position(at[1], x.shape.h, op.align_corners);
      float* to = y.pixel(run.n, run.h, q);
      if (!std::isfinite(u) || !std::isfinite(v)) {
        fill_run(std::numeric_limits<float>::quiet_NaN(), to, 0, 1, y.shape.c);
        continue;
      }
      const Taps rows = taps_at(v, x.shape.h, op), columns = taps_at(u, x.shape.w, op);
      HWY_DYNAMIC_DISPATCH(sample_pixel)(pixels_at(x, run.n, rows, columns), y.shape.c, to);
    }
  });
}

}  // namespace mend
#endif
