#include "train/filter.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/pad/pad.h"

namespace mend {
namespace {

/// Kernels wider than this are cut off: 51 pixels, far beyond what small networks can undo.
constexpr int kWidest = 51;

Kernel empty_kernel(double reach) {
  const int half = std::clamp(static_cast<int>(std::ceil(reach)), 0, kWidest / 2);
  Kernel kernel{2 * half + 1, {}};
  kernel.weights.assign(static_cast<std::size_t>(kernel.side) * kernel.side, 0.0);
  return kernel;
}

double& at(Kernel& kernel, int y, int x) {
  const int half = kernel.side / 2;
  return kernel.weights[static_cast<std::size_t>(y + half) * kernel.side + (x + half)];
}

}  // namespace

Kernel Kernel::normalised() const {
  Kernel kernel = *this;
  double sum = 0;
  for (const double weight : weights) sum += weight;
  for (double& weight : kernel.weights) weight /= sum;
  return kernel;
}

Kernel gaussian_kernel(double deviation, double other_deviation, double angle) {
  constexpr double kLeast = 1e-3;  // a point
  const double a = std::max(deviation, kLeast), b = std::max(other_deviation, kLeast);
  Kernel kernel = empty_kernel(3 * std::max(a, b));
  const int half = kernel.side / 2;
  for (int y = -half; y <= half; ++y)
    for (int x = -half; x <= half; ++x) {
      const double u = (x * std::cos(angle) + y * std::sin(angle)) / a;
      const double v = (y * std::cos(angle) - x * std::sin(angle)) / b;
      at(kernel, y, x) = std::exp(-0.5 * (u * u + v * v));
    }
  return kernel.normalised();
}

Kernel motion_kernel(double length, double angle) {
  Kernel kernel = empty_kernel(length / 2 + 1);
  const int samples = std::max(1, static_cast<int>(std::ceil(16 * length)));
  const int half = kernel.side / 2;
  for (int i = 0; i < samples; ++i) {
    const double along = ((i + 0.5) / samples - 0.5) * std::min(length, 2.0 * half - 2);
    const double x = along * std::cos(angle), y = along * std::sin(angle);
    const int left = static_cast<int>(std::floor(x)), top = static_cast<int>(std::floor(y));
    const double right_part = x - left, bottom_part = y - top;
    at(kernel, top, left) += (1 - right_part) * (1 - bottom_part);
    at(kernel, top, left + 1) += right_part * (1 - bottom_part);
    at(kernel, top + 1, left) += (1 - right_part) * bottom_part;
    at(kernel, top + 1, left + 1) += right_part * bottom_part;
  }
  return kernel.normalised();
}

Kernel disc_kernel(double radius) {
  constexpr int kSamples = 8;
  Kernel kernel = empty_kernel(radius);
  const int half = kernel.side / 2;
  for (int y = -half; y <= half; ++y)
    for (int x = -half; x <= half; ++x)
      for (int i = 0; i < kSamples * kSamples; ++i) {
        const double u = x + (i % kSamples + 0.5) / kSamples - 0.5;
        const double v = y + (i / kSamples + 0.5) / kSamples - 0.5;
        if (u * u + v * v <= std::max(radius * radius, 0.25)) at(kernel, y, x) += 1;
      }
  return kernel.normalised();
}

Kernel sinc_kernel(double cutoff, int side) {
  Kernel kernel = empty_kernel(side / 2);
  const int half = kernel.side / 2;
  for (int y = -half; y <= half; ++y)
    for (int x = -half; x <= half; ++x) {
      const double r = std::hypot(x, y);
      at(kernel, y, x) =
          r == 0 ? cutoff * cutoff / (4 * std::numbers::pi)
                 : cutoff * std::cyl_bessel_j(1, cutoff * r) / (2 * std::numbers::pi * r);
    }
  return kernel.normalised();
}

/// Most weights of a motion's kernel are 0: so it runs tap by tap, each along whole rows.
Tensor filter(const Tensor& x, const Kernel& kernel) {
  const Shape shape = x.shape();
  const int half = kernel.side / 2, row_floats = shape.w * shape.c;
  const Tensor padded = apply(op::Pad{half, half, half, half, PadMode::kReflect}, {x});
  Tensor y = Tensor::zeros(shape);
  for (int n = 0; n < shape.n; ++n)
    for (int p = 0; p < shape.h; ++p) {
      float* out = y.view<float>().pixel(n, p, 0);
      for (int r = 0; r < kernel.side; ++r)
        for (int s = 0; s < kernel.side; ++s) {
          const auto weight = static_cast<float>(kernel.weights[std::size_t(r) * kernel.side + s]);
          if (weight == 0) continue;
          const float* in = padded.view<const float>().pixel(n, p + r, s);
#pragma omp simd
          for (int i = 0; i < row_floats; ++i) out[i] += weight * in[i];
        }
    }
  return y;
}

}  // namespace mend
