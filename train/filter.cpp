#include "train/filter.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/conv2d/conv2d.h"

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

Tensor filter(const Tensor& x, const Kernel& kernel) {
  const int channels = x.shape().c;
  const Tensor weight = Tensor::empty({channels, kernel.side, kernel.side, 1});
  float* values = weight.view<float>().data;
  for (int c = 0; c < channels; ++c)
    for (const double number : kernel.weights) *values++ = static_cast<float>(number);
  op::Conv2d conv;
  conv.outputs = conv.groups = channels;
  conv.kernel_h = conv.kernel_w = kernel.side;
  conv.padding_h = conv.padding_w = kernel.side / 2;
  conv.padding_mode = PaddingMode::kReflect;
  return apply(conv, {x, weight});
}

}  // namespace mend
