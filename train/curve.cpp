#include "train/curve.h"

#include <algorithm>
#include <cmath>

namespace mend {
namespace {

constexpr std::uint8_t kWhite = 255, kLight = 225, kDark = 40;
constexpr int kMargin = 8;

/// The extent of finite numbers; at least a little wide.
struct Extent {
  double low = HUGE_VAL, high = -HUGE_VAL;
  void take(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  /// 0 at `low`, 1 at `high`.
  double part(double value) const { return high > low ? (value - low) / (high - low) : 0.5; }
};

/// 1, 2 or 5 times a power of ten, about a fifth of the range.
double round_step(double range) {
  const double power = std::pow(10, std::floor(std::log10(range / 5)));
  const double times = range / 5 / power;
  return power * (times < 2 ? 1 : times < 5 ? 2 : 5);
}

}  // namespace

Image draw_curve(const std::vector<CurvePoint>& points, int width, int height) {
  Image image = make_image(width, height, 1, 8);
  std::fill(image.bytes.begin(), image.bytes.end(), kWhite);
  Extent x, y;
  for (const CurvePoint& point : points) {
    if (!std::isfinite(point.x) || !std::isfinite(point.y)) continue;
    x.take(point.x);
    y.take(point.y);
  }
  if (!(y.high >= y.low)) return image;
  const auto column = [&](double value) {
    return kMargin + static_cast<int>(std::lround(x.part(value) * (width - 1 - 2 * kMargin)));
  };
  const auto row = [&](double value) {
    return height - 1 - kMargin -
           static_cast<int>(std::lround(y.part(value) * (height - 1 - 2 * kMargin)));
  };
  if (y.high > y.low) {
    const double step = round_step(y.high - y.low);
    for (double at = std::ceil(y.low / step) * step; at <= y.high; at += step) {
      std::fill_n(image.row(row(at)) + kMargin, width - 2 * kMargin, kLight);
    }
  }
  int last_column = -1, last_row = 0;
  for (const CurvePoint& point : points) {
    if (!std::isfinite(point.x) || !std::isfinite(point.y)) continue;
    const int to_column = column(point.x), to_row = row(point.y);
    const int steps =
        last_column < 0 ? 0
                        : std::max(std::abs(to_column - last_column), std::abs(to_row - last_row));
    for (int i = 0; i <= steps; ++i) {
      const double part = steps == 0 ? 1 : static_cast<double>(i) / steps;
      const int c =
          last_column < 0
              ? to_column
              : static_cast<int>(std::lround(last_column + part * (to_column - last_column)));
      const int r = last_column < 0
                        ? to_row
                        : static_cast<int>(std::lround(last_row + part * (to_row - last_row)));
      image.row(r)[c] = kDark;
    }
    last_column = to_column;
    last_row = to_row;
  }
  return image;
}

}  // namespace mend
