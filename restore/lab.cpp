#include "restore/lab.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/error.h"
#include "engine/parallel.h"

namespace mend {
namespace {

using Vector = std::array<double, 3>;
using Matrix = std::array<Vector, 3>;

// IEC 61966-2-1 (sRGB) primaries to XYZ, in the digits that scikit-image and OpenCV use.
constexpr Matrix kXyzOfRgb = {{{0.412453, 0.357580, 0.180423},
                               {0.212671, 0.715160, 0.072169},
                               {0.019334, 0.119193, 0.950227}}};
constexpr Vector kWhite = {0.95047, 1.0, 1.08883};

constexpr double kLinearBelow = 0.008856;  // of t; f(kLinearBelow) = kRootBelow
constexpr double kRootBelow = 0.2068966;
constexpr double kSlope = 7.787, kIntercept = 16.0 / 116;

/// By Cramer's rule: row i of the inverse is the cross product of two columns over the determinant.
constexpr Matrix inverse(const Matrix& m) {
  Matrix result{};
  double determinant = 0;
  for (int i = 0; i < 3; ++i) {
    const int a = (i + 1) % 3, b = (i + 2) % 3;
    for (int j = 0; j < 3; ++j) {
      const int c = (j + 1) % 3, d = (j + 2) % 3;
      result[i][j] = m[c][a] * m[d][b] - m[c][b] * m[d][a];
    }
  }
  for (int j = 0; j < 3; ++j) determinant += m[j][0] * result[0][j];
  for (Vector& row : result)
    for (double& value : row) value /= determinant;
  return result;
}
constexpr Matrix kRgbOfXyz = inverse(kXyzOfRgb);

Vector product(const Matrix& m, const Vector& v) {
  Vector result{};
  for (int i = 0; i < 3; ++i) result[i] = m[i][0] * v[0] + m[i][1] * v[1] + m[i][2] * v[2];
  return result;
}

double linear_of(double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); }
double srgb_of(double v) {
  return v <= 0.0031308 ? 12.92 * v : 1.055 * std::pow(v, 1 / 2.4) - 0.055;
}
double f(double t) { return t > kLinearBelow ? std::cbrt(t) : kSlope * t + kIntercept; }
double f_inverse(double r) { return r > kRootBelow ? r * r * r : (r - kIntercept) / kSlope; }

Vector lab_of(const Vector& rgb) {
  const Vector xyz = product(kXyzOfRgb, {linear_of(rgb[0]), linear_of(rgb[1]), linear_of(rgb[2])});
  const double x = f(xyz[0] / kWhite[0]), y = f(xyz[1] / kWhite[1]), z = f(xyz[2] / kWhite[2]);
  return {116 * y - 16, 500 * (x - y), 200 * (y - z)};
}

Vector rgb_of(const Vector& lab) {
  const double y = (lab[0] + 16) / 116, x = y + lab[1] / 500, z = std::max(y - lab[2] / 200, 0.0);
  const Vector linear = product(
      kRgbOfXyz, {f_inverse(x) * kWhite[0], f_inverse(y) * kWhite[1], f_inverse(z) * kWhite[2]});
  Vector rgb{};
  for (int c = 0; c < 3; ++c) rgb[c] = std::clamp(srgb_of(linear[c]), 0.0, 1.0);
  return rgb;
}

/// Each pixel of x [N,H,W,from] through `convert`, its first channels into [N,H,W,to].
template <class Convert>
Tensor per_pixel(const Tensor& x, int to, Convert convert) {
  const Shape shape = x.shape();
  const Tensor out = Tensor::empty({shape.n, shape.h, shape.w, to});
  const View<const float> source = x.view<const float>();
  const View<float> target = out.view<float>();
  parallel_for(std::int64_t{shape.n} * shape.h, [&](std::int64_t row, int) {
    const int n = static_cast<int>(row / shape.h), h = static_cast<int>(row % shape.h);
    for (int w = 0; w < shape.w; ++w) {
      const float* p = source.pixel(n, h, w);
      const Vector value = convert({p[0], p[shape.c > 1 ? 1 : 0], p[shape.c > 2 ? 2 : 0]});
      for (int c = 0; c < to; ++c) target(n, h, w, c) = static_cast<float>(value[c]);
    }
  });
  return out;
}

void require_colour(const Tensor& x, const char* function) {
  if (x.shape().c == 3) return;
  throw ShapeError(fmt::format("{}: takes 3 channels, x is {}", function, to_string(x.shape())));
}

}  // namespace

Tensor rgb_to_lab(const Tensor& rgb) {
  require_colour(rgb, "rgb_to_lab");
  return per_pixel(rgb, 3, lab_of);
}

Tensor lab_to_rgb(const Tensor& lab) {
  require_colour(lab, "lab_to_rgb");
  return per_pixel(lab, 3, rgb_of);
}

Tensor lightness(const Tensor& picture) { return per_pixel(picture, 1, lab_of); }

}  // namespace mend
