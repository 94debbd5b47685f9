#include "restore/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/error.h"

namespace mend {
namespace {

using Row = std::vector<double>;

/// Rows of the scored channels of a picture, 0..255, without its border. One row at a time, so that
/// a 96-megapixel picture needs no copy.
class Planes {
 public:
  Planes(const Image& image, const Protocol& protocol)
      : image_(image),
        border_(protocol.border),
        as_luma_(protocol.colours == ScoredColours::kY && image.colour_channels() == 3),
        bytes_(static_cast<std::size_t>(image.width) * image.channels) {}

  int height() const { return image_.height - 2 * border_; }
  int width() const { return image_.width - 2 * border_; }
  int count() const { return as_luma_ ? 1 : image_.colour_channels(); }

  void read(int plane, int y, Row& row) {
    copy_row(image_, y + border_, 8, bytes_.data());
    const std::uint8_t* pixel = bytes_.data() + static_cast<std::size_t>(border_) * image_.channels;
    row.resize(static_cast<std::size_t>(width()));
    for (double& value : row) {
      value = as_luma_ ? 16 + (65.481 * pixel[0] + 128.553 * pixel[1] + 24.966 * pixel[2]) / 255
                       : static_cast<double>(pixel[plane]);
      pixel += image_.channels;
    }
  }

 private:
  const Image& image_;
  int border_;
  bool as_luma_;
  std::vector<std::uint8_t> bytes_;
};

/// The two pictures, once it is sure that they can be compared.
struct Pair {
  Planes test, reference;

  int height() const { return test.height(); }
  int width() const { return test.width(); }
  int planes() const { return test.count(); }
};

Pair compare(const Image& test, const Image& reference, const Protocol& protocol,
             std::string_view metric, int least_side) {
  Pair pair{{test, protocol}, {reference, protocol}};
  if (test.width != reference.width || test.height != reference.height ||
      pair.test.count() != pair.reference.count()) {
    throw ShapeError(
        fmt::format("{}: one picture is {} x {} with {} channels, the other {} x {} with {}",
                    metric, test.width, test.height, pair.test.count(), reference.width,
                    reference.height, pair.reference.count()));
  }
  if (protocol.border < 0 || std::min(pair.height(), pair.width()) < least_side) {
    throw ShapeError(
        fmt::format("{}: a picture of {} x {} with a border of {} leaves fewer than {} x {} "
                    "pixels",
                    metric, test.width, test.height, protocol.border, least_side, least_side));
  }
  return pair;
}

std::string describe(std::string_view metric, const Protocol& protocol, const Pair& pair,
                     std::string_view unit) {
  const std::string_view colours = protocol.colours == ScoredColours::kY ? "Y (BT.601 limited)"
                                   : pair.planes() == 1                  ? "gray"
                                                                         : "RGB";
  return fmt::format("{}, {}, 8 bit, border {}{}", metric, colours, protocol.border, unit);
}

double mean_squared_error(Pair& pair) {
  double sum = 0;
  Row x, y;
  for (int plane = 0; plane < pair.planes(); ++plane) {
    for (int h = 0; h < pair.height(); ++h) {
      pair.test.read(plane, h, x);
      pair.reference.read(plane, h, y);
      for (std::size_t w = 0; w < x.size(); ++w) sum += (x[w] - y[w]) * (x[w] - y[w]);
    }
  }
  return sum / (static_cast<double>(pair.height()) * pair.width() * pair.planes());
}

double decibels(double mse) { return 10 * std::log10(255.0 * 255.0 / mse); }

constexpr int kTaps = 11;
constexpr double kDeviation = 1.5;

std::array<double, kTaps> gaussian() {
  std::array<double, kTaps> window;
  double sum = 0;
  for (int k = 0; k < kTaps; ++k) {
    const double x = k - kTaps / 2;
    sum += window[k] = std::exp(-x * x / (2 * kDeviation * kDeviation));
  }
  for (double& weight : window) weight /= sum;
  return window;
}

/// Weighted sums over a row of windows: of x, y, x², y², xy. They become moments once they are also
/// summed over the kTaps rows.
struct Moments {
  Row x, y, xx, yy, xy;

  explicit Moments(std::size_t width) : x(width), y(width), xx(width), yy(width), xy(width) {}

  void sum_along(const Row& test, const Row& reference, std::span<const double> window) {
    for (std::size_t w = 0; w < x.size(); ++w) {
      double sum_x = 0, sum_y = 0, sum_xx = 0, sum_yy = 0, sum_xy = 0;
      for (std::size_t k = 0; k < window.size(); ++k) {
        const double a = test[w + k], b = reference[w + k], weight = window[k];
        sum_x += weight * a;
        sum_y += weight * b;
        sum_xx += weight * a * a;
        sum_yy += weight * b * b;
        sum_xy += weight * a * b;
      }
      x[w] = sum_x;
      y[w] = sum_y;
      xx[w] = sum_xx;
      yy[w] = sum_yy;
      xy[w] = sum_xy;
    }
  }
};

/// Wang et al. (13), with the window's moments.
double similarity(double x, double y, double xx, double yy, double xy) {
  constexpr double kC1 = 0.01 * 255 * 0.01 * 255;
  constexpr double kC2 = 0.03 * 255 * 0.03 * 255;
  const double variance_x = xx - x * x, variance_y = yy - y * y, covariance = xy - x * y;
  return (2 * x * y + kC1) * (2 * covariance + kC2) /
         ((x * x + y * y + kC1) * (variance_x + variance_y + kC2));
}

/// The mean over all windows of one plane. The Gaussian is separable, so each row is summed along
/// once and the last kTaps of these sums are kept.
double mean_similarity(Pair& pair, int plane) {
  const std::array<double, kTaps> window = gaussian();
  const std::size_t width = static_cast<std::size_t>(pair.width()) - kTaps + 1;
  std::vector<Moments> rows(kTaps, Moments(width));
  Row test, reference;
  double sum = 0;
  for (int h = 0; h < pair.height(); ++h) {
    pair.test.read(plane, h, test);
    pair.reference.read(plane, h, reference);
    rows[h % kTaps].sum_along(test, reference, window);
    if (h < kTaps - 1) continue;
    for (std::size_t w = 0; w < width; ++w) {
      double x = 0, y = 0, xx = 0, yy = 0, xy = 0;
      for (int k = 0; k < kTaps; ++k) {
        const Moments& row = rows[(h + 1 + k) % kTaps];  // the oldest first
        x += window[k] * row.x[w];
        y += window[k] * row.y[w];
        xx += window[k] * row.xx[w];
        yy += window[k] * row.yy[w];
        xy += window[k] * row.xy[w];
      }
      sum += similarity(x, y, xx, yy, xy);
    }
  }
  return sum / (static_cast<double>(width) * (pair.height() - kTaps + 1));
}

/// A mean that is 0 when there was nothing to average.
struct Mean {
  double sum = 0;
  std::int64_t count = 0;

  void add(double value) {
    sum += value;
    ++count;
  }
  double value() const { return count == 0 ? 0 : sum / static_cast<double>(count); }
};

/// Yim & Bovik 2011: by how much neighbours differ more across block boundaries than elsewhere.
double blocking_effect(Planes& planes) {
  constexpr int kBlock = 8;
  const auto is_boundary = [](int position) { return position % kBlock == 0; };
  Mean across_boundaries, elsewhere;
  Row above, row;
  for (int h = 0; h < planes.height(); ++h, std::swap(above, row)) {
    planes.read(0, h, row);
    for (int w = 0; w < planes.width(); ++w) {
      if (w > 0) {
        const double step = row[w] - row[w - 1];
        (is_boundary(w) ? across_boundaries : elsewhere).add(step * step);
      }
      if (h > 0) {
        const double step = row[w] - above[w];
        (is_boundary(h) ? across_boundaries : elsewhere).add(step * step);
      }
    }
  }
  const double excess = across_boundaries.value() - elsewhere.value();
  if (excess <= 0) return 0;
  return std::log2(kBlock) / std::log2(std::min(planes.height(), planes.width())) * excess;
}

}  // namespace

Score psnr(const Image& test, const Image& reference, const Protocol& protocol) {
  Pair pair = compare(test, reference, protocol, "PSNR", 1);
  return {decibels(mean_squared_error(pair)), describe("PSNR", protocol, pair, ", dB")};
}

Score ssim(const Image& test, const Image& reference, const Protocol& protocol) {
  Pair pair = compare(test, reference, protocol, "SSIM", kTaps);
  double sum = 0;
  for (int plane = 0; plane < pair.planes(); ++plane) sum += mean_similarity(pair, plane);
  return {sum / pair.planes(), describe("SSIM (Gaussian 11 x 11)", protocol, pair, "")};
}

Score psnr_b(const Image& test, const Image& reference, const Protocol& protocol) {
  Pair pair = compare(test, reference, protocol, "PSNR-B", 2);
  if (pair.planes() != 1) {
    throw UsageError("PSNR-B: it is defined for one channel; compare on Y");
  }
  const double mse = mean_squared_error(pair) + blocking_effect(pair.test);
  return {decibels(mse), describe("PSNR-B", protocol, pair, ", dB")};
}

}  // namespace mend
