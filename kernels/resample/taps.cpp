#include "kernels/resample/taps.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace mend {
namespace {

constexpr std::int64_t kCacheLine = 64;

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + kCacheLine - 1) / kCacheLine * kCacheLine;
}

bool is_cubic(const Axis& axis) { return axis.mode == ResampleMode::kBicubic; }

/// Whether the axis has the option; the modes that pick or average pixels have neither.
bool interpolates(const Axis& axis) {
  return axis.mode == ResampleMode::kBilinear || is_cubic(axis);
}
bool aligns_corners(const Axis& axis) { return axis.align_corners && interpolates(axis); }
bool antialiases(const Axis& axis) { return axis.antialias && interpolates(axis); }

std::int64_t floor_divide(std::int64_t x, std::int64_t by) { return x / by - (x % by < 0 ? 1 : 0); }
std::int64_t floor_divide(double x, double by) {
  return static_cast<std::int64_t>(std::floor(x / by));
}

/// Cubic convolution (Keys 1981, equation 8) at distance t >= 0; 0 from 2 on.
double keys(double t, double a) {
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return ((t - 5) * t + 8) * t * a - 4 * a;
  return 0;
}

/// The two or four rows around position numerator/denominator.
template <class Number>
Taps taps_around(const Axis& axis, Number numerator, Number denominator, double* weights) {
  const std::int64_t whole = floor_divide(numerator, denominator);
  const double fraction =
      static_cast<double>(numerator - static_cast<Number>(whole) * denominator) /
      static_cast<double>(denominator);
  if (!is_cubic(axis)) {
    weights[0] = 1 - fraction;
    weights[1] = fraction;
    return {whole, 2};
  }
  constexpr double kSharpness = -0.75;
  weights[0] = keys(1 + fraction, kSharpness);
  weights[1] = keys(fraction, kSharpness);
  weights[2] = keys(1 - fraction, kSharpness);
  weights[3] = keys(2 - fraction, kSharpness);
  return {whole - 1, 4};
}

/// All rows under a kernel that is as wide as the coarser of the two images' pixels.
template <class Number>
Taps taps_under(const Axis& axis, Number in, Number out, int p, double* weights) {
  constexpr double kSharpness = -0.5;
  const Number coarser = std::max(in, out);
  const Number centre = (2 * static_cast<Number>(p) + 1) * in;  // in units of 1/(2·out) rows
  const Number support = (is_cubic(axis) ? 2 : 1) * 2 * coarser;
  const std::int64_t first = floor_divide(centre - support + out, 2 * out);
  const std::int64_t last = floor_divide(centre + support + out, 2 * out);
  for (std::int64_t h = first; h < last; ++h) {
    const Number distance = (2 * static_cast<Number>(h) + 1) * out - centre;
    const double t = std::abs(static_cast<double>(distance)) / static_cast<double>(2 * coarser);
    weights[h - first] = is_cubic(axis) ? keys(t, kSharpness) : std::max(0.0, 1 - t);
  }
  return {first, static_cast<int>(last - first)};
}

/// Without the rows at both ends that don't count.
Taps trimmed(Taps taps, double* weights) {
  int skip = 0;
  while (skip < taps.count - 1 && weights[skip] == 0) ++skip;
  std::copy(weights + skip, weights + taps.count, weights);
  taps.first += skip;
  taps.count -= skip;
  while (taps.count > 1 && weights[taps.count - 1] == 0) --taps.count;
  return taps;
}

template <class Number>
Taps endless_taps(const Axis& axis, Number in, Number out, int p, double* weights) {
  const Number row = static_cast<Number>(p);
  weights[0] = 1;
  switch (axis.mode) {
    case ResampleMode::kNearest:
      return {floor_divide(row * in, out), 1};
    case ResampleMode::kNearestExact:
      return {floor_divide((2 * row + 1) * in, 2 * out), 1};
    case ResampleMode::kArea: {
      const std::int64_t first = floor_divide(row * in, out);
      const int count = static_cast<int>(-floor_divide(-(row + 1) * in, out) - first);
      std::fill_n(weights, count, 1.0 / count);
      return {first, count};
    }
    case ResampleMode::kBilinear:
    case ResampleMode::kBicubic:
      break;
  }
  if (antialiases(axis)) return trimmed(taps_under(axis, in, out, p, weights), weights);
  const Number position = aligns_corners(axis) ? 2 * row * in : (2 * row + 1) * in - out;
  return trimmed(taps_around(axis, position, 2 * out, weights), weights);
}

/// Rows beyond the edge are the edge row again.
Taps folded(Taps taps, int extent, double* weights) {
  const auto inside = [&](std::int64_t row) {
    return std::clamp<std::int64_t>(row, 0, extent - 1);
  };
  const std::int64_t first = inside(taps.first), last = inside(taps.first + taps.count - 1);
  for (int t = 0; t < taps.count; ++t) {
    const double weight = weights[t];
    weights[t] = 0;
    weights[inside(taps.first + t) - first] += weight;  // never right of t
  }
  return {first, static_cast<int>(last - first) + 1};
}

/// Rows beyond the edge are left out, and the others make up for them.
Taps cut(Taps taps, int extent, double* weights) {
  const std::int64_t first = std::max<std::int64_t>(taps.first, 0);
  const std::int64_t last = std::min<std::int64_t>(taps.first + taps.count, extent);
  const int count = static_cast<int>(last - first);
  assert(count > 0);
  std::copy_n(weights + (first - taps.first), count, weights);
  double sum = 0;
  for (int t = 0; t < count; ++t) sum += weights[t];
  for (int t = 0; t < count; ++t) weights[t] /= sum;
  return {first, count};
}

}  // namespace

Axis rows_of(const op::Resample& resample, const Shape& x) {
  return {resample.mode, resample.align_corners, resample.antialias,
          x.h,           resample.height,        resample.scale_h};
}

Axis columns_of(const op::Resample& resample, const Shape& x) {
  return {resample.mode, resample.align_corners, resample.antialias,
          x.w,           resample.width,         resample.scale_w};
}

Ratio ratio_of(const Axis& axis) {
  const Ratio extents{axis.input, axis.output};
  if (axis.mode == ResampleMode::kArea) return extents;
  if (aligns_corners(axis)) {
    return axis.output > 1 ? Ratio{axis.input - 1, axis.output - 1} : Ratio{0, 1};
  }
  const double scale = axis.scale;
  if (scale <= 0 || scale * axis.input == axis.output) return extents;
  if (scale == std::round(scale)) return {1, std::llround(scale)};
  if (1 / scale == std::round(1 / scale)) return {std::llround(1 / scale), 1};
  return {1, 1, 1 / scale};
}

int most_taps(const Axis& axis) {
  const Ratio ratio = ratio_of(axis);
  const double rows = ratio.exact() ? static_cast<double>(ratio.in) / static_cast<double>(ratio.out)
                                    : ratio.inexact;
  if (axis.mode == ResampleMode::kArea) return static_cast<int>(std::ceil(rows)) + 1;
  if (antialiases(axis)) {
    return static_cast<int>(std::ceil((is_cubic(axis) ? 4 : 2) * std::max(rows, 1.0))) + 2;
  }
  return interpolates(axis) ? 4 : 1;
}

Taps endless_taps(const Axis& axis, int p, double* weights) {
  const Ratio ratio = ratio_of(axis);
  if (ratio.exact()) return endless_taps(axis, ratio.in, ratio.out, p, weights);
  return endless_taps(axis, ratio.inexact, 1.0, p, weights);
}

Taps taps_of(const Axis& axis, int p, double* weights) {
  const Taps taps = endless_taps(axis, p, weights);
  return antialiases(axis) ? cut(taps, axis.input, weights) : folded(taps, axis.input, weights);
}

std::int64_t tap_table_bytes(const Axis& axis) {
  const std::int64_t rows = axis.output, taps = most_taps(axis);
  return 2 * aligned(rows * std::int64_t{sizeof(int)}) +
         aligned(rows * taps * std::int64_t{sizeof(float)}) +
         aligned(taps * std::int64_t{sizeof(double)});
}

TapTable make_tap_table(const Axis& axis, Scratch& scratch) {
  std::byte* next = scratch.data();
  const auto take = [&](std::int64_t bytes) {
    std::byte* taken = next;
    next += aligned(bytes);
    return taken;
  };
  TapTable table;
  table.stride = most_taps(axis);
  table.first = reinterpret_cast<int*>(take(axis.output * std::int64_t{sizeof(int)}));
  table.count = reinterpret_cast<int*>(take(axis.output * std::int64_t{sizeof(int)}));
  table.weights = reinterpret_cast<float*>(
      take(std::int64_t{axis.output} * table.stride * std::int64_t{sizeof(float)}));
  double* weights = reinterpret_cast<double*>(take(table.stride * std::int64_t{sizeof(double)}));
  for (int p = 0; p < axis.output; ++p) {
    const Taps taps = taps_of(axis, p, weights);
    table.first[p] = static_cast<int>(taps.first);
    table.count[p] = taps.count;
    std::transform(weights, weights + taps.count, table.weights + std::int64_t{p} * table.stride,
                   [](double weight) { return static_cast<float>(weight); });
  }
  scratch = scratch.subspan(static_cast<std::size_t>(next - scratch.data()));
  return table;
}

}  // namespace mend
