#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/error.h"
#include "engine/parallel.h"
#include "restore/lab.h"
#include "restore/scored_planes.h"

namespace mend {
namespace {

using Lab = std::array<double, 3>;

constexpr double kDegree = std::numbers::pi / 180;

double cie76(const Lab& a, const Lab& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/// sqrt(C⁷ / (C⁷ + 25⁷)): how saturated a colour of chroma C is.
double saturation(double chroma) {
  const double power = std::pow(chroma, 7);
  return std::sqrt(power / (power + 6103515625.0));
}

/// Of (a', b') in degrees, 0..360; 0 for gray.
double hue(double a, double b) {
  if (a == 0 && b == 0) return 0;
  const double degrees = std::atan2(b, a) / kDegree;
  return degrees < 0 ? degrees + 360 : degrees;
}

constexpr int kStripRows = 64;  // so that a 96-megapixel picture needs no copy

/// L*, a*, b* of rows [top, top + rows), [1,rows,W,3].
Tensor lab_strip(Planes& picture, int top, int rows) {
  const Tensor rgb = Tensor::empty({1, rows, picture.width(), 3});
  const View<float> to = rgb.view<float>();
  Row row;
  for (int h = 0; h < rows; ++h) {
    for (int c = 0; c < 3; ++c) {
      picture.read(picture.count() == 1 ? 0 : c, top + h, row);
      for (int w = 0; w < to.shape.w; ++w) to(0, h, w, c) = static_cast<float>(row[w] / 255);
    }
  }
  return rgb_to_lab(rgb);
}

/// Rows are summed apart, then in their order: the result does not depend on the number of threads.
double sum_of_differences(const Tensor& test, const Tensor& reference, ColourDifference formula) {
  const View<const float> x = test.view<const float>(), z = reference.view<const float>();
  std::array<double, kStripRows> rows{};
  parallel_for(x.shape.h, [&](std::int64_t row, int) {
    const int h = static_cast<int>(row);
    for (int w = 0; w < x.shape.w; ++w) {
      const float *p = x.pixel(0, h, w), *q = z.pixel(0, h, w);
      const Lab one = {p[0], p[1], p[2]}, other = {q[0], q[1], q[2]};
      rows[row] +=
          formula == ColourDifference::kCiede2000 ? ciede2000(one, other) : cie76(one, other);
    }
  });
  double sum = 0;
  for (const double row : rows) sum += row;
  return sum;
}

}  // namespace

// Sharma, Wu, Dalal 2005, eqs. 2 to 22, in their order; primed quantities are C1, h1, ...
double ciede2000(const Lab& test, const Lab& reference) {
  const auto [l1, a1, b1] = reference;
  const auto [l2, a2, b2] = test;
  const double g = 0.5 * (1 - saturation((std::hypot(a1, b1) + std::hypot(a2, b2)) / 2));
  const double c1 = std::hypot((1 + g) * a1, b1), c2 = std::hypot((1 + g) * a2, b2);
  const double h1 = hue((1 + g) * a1, b1), h2 = hue((1 + g) * a2, b2);

  const bool neutral = c1 * c2 == 0;  // the hue of one of them means nothing
  double turn = neutral ? 0 : h2 - h1;
  if (turn > 180) turn -= 360;
  if (turn < -180) turn += 360;
  const double dl = l2 - l1, dc = c2 - c1;
  const double dh = 2 * std::sqrt(c1 * c2) * std::sin(turn / 2 * kDegree);

  const double l = (l1 + l2) / 2, c = (c1 + c2) / 2;
  double h = neutral ? h1 + h2 : (h1 + h2) / 2;
  if (!neutral && std::abs(h1 - h2) > 180) h += h1 + h2 < 360 ? 180 : -180;
  const double t = 1 - 0.17 * std::cos((h - 30) * kDegree) + 0.24 * std::cos(2 * h * kDegree) +
                   0.32 * std::cos((3 * h + 6) * kDegree) - 0.20 * std::cos((4 * h - 63) * kDegree);
  const double towards_blue = (h - 275) / 25;
  const double rotation = 30 * std::exp(-towards_blue * towards_blue);
  const double from_middle = (l - 50) * (l - 50);
  const double sl = 1 + 0.015 * from_middle / std::sqrt(20 + from_middle);
  const double sc = 1 + 0.045 * c, sh = 1 + 0.015 * c * t;
  const double rt = -std::sin(2 * rotation * kDegree) * 2 * saturation(c);
  const double lightness = dl / sl, chroma = dc / sc, hues = dh / sh;
  return std::sqrt(lightness * lightness + chroma * chroma + hues * hues + rt * chroma * hues);
}

Score delta_e(const Image& test, const Image& reference, const Protocol& protocol,
              ColourDifference formula) {
  if (protocol.colours == ScoredColours::kY) {
    throw UsageError("delta-E: it compares colours, and luma alone has none");
  }
  require_same_size(test, reference, protocol.border, "delta-E", 1);
  Planes of_test(test, protocol), of_reference(reference, protocol);
  const int height = of_test.height();
  double sum = 0;
  for (int top = 0; top < height; top += kStripRows) {
    const int rows = std::min(kStripRows, height - top);
    sum += sum_of_differences(lab_strip(of_test, top, rows), lab_strip(of_reference, top, rows),
                              formula);
  }
  const bool newer = formula == ColourDifference::kCiede2000;
  constexpr int kColours = 3;
  return {sum / (static_cast<double>(height) * of_test.width()),
          describe_protocol(newer ? "delta-E (CIEDE2000, sRGB to Lab with D65, mean over pixels)"
                                  : "delta-E (CIE76, sRGB to Lab with D65, mean over pixels)",
                            protocol, kColours)};
}

}  // namespace mend
