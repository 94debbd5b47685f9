// Losses of windows, regions and neighbours; those of single numbers are in losses_test.cpp.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "engine/error.h"
#include "restore/metrics.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"
#include "train/as_image.h"
#include "train/losses.h"

namespace mend::test {
namespace {

/// A tensor in double, so that finite differences are exact enough.
struct Numbers {
  Shape shape;
  std::vector<double> values;

  explicit Numbers(const Tensor& x) : shape(x.shape()) {
    const float* from = x.view<const float>().data;
    values.assign(from, from + shape.elements());
  }
  double operator()(int n, int h, int w, int c) const {
    return values[static_cast<std::size_t>(((n * shape.h + h) * shape.w + w) * shape.c + c)];
  }
};

using LossOf = std::function<Loss(const Tensor& x, const Tensor& other)>;
using Formula = std::function<double(const Numbers& x, const Numbers& other)>;

struct Case {
  const char* name;
  LossOf loss;
  Formula formula;
  bool has_other;
};

/// Wang et al. (13) window by window, the variances as sums of squared distances from the mean.
double ssim_formula(const Numbers& x, const Numbers& y) {
  double weights[11], all = 0, total = 0;
  for (int k = 0; k < 11; ++k) all += weights[k] = std::exp(-(k - 5) * (k - 5) / (2 * 1.5 * 1.5));
  int windows = 0;
  for (int n = 0; n < x.shape.n; ++n)
    for (int c = 0; c < x.shape.c; ++c)
      for (int top = 0; top + 11 <= x.shape.h; ++top)
        for (int left = 0; left + 11 <= x.shape.w; ++left) {
          const auto mean = [&](const std::function<double(int, int)>& of) {
            double sum = 0;
            for (int h = 0; h < 11; ++h)
              for (int w = 0; w < 11; ++w)
                sum += weights[h] * weights[w] / all / all * of(top + h, left + w);
            return sum;
          };
          const double mx = mean([&](int h, int w) { return x(n, h, w, c); });
          const double my = mean([&](int h, int w) { return y(n, h, w, c); });
          const auto covariance = [&](const Numbers& a, double ma, const Numbers& b, double mb) {
            return mean([&](int h, int w) { return (a(n, h, w, c) - ma) * (b(n, h, w, c) - mb); });
          };
          total += (2 * mx * my + 1e-4) * (2 * covariance(x, mx, y, my) + 9e-4) /
                   (mx * mx + my * my + 1e-4) /
                   (covariance(x, mx, x, mx) + covariance(y, my, y, my) + 9e-4);
          ++windows;
        }
  return 1 - total / windows;
}

/// Σ term / count over the neighbours downwards, and over those to the right.
double of_neighbours(const Numbers& x, bool over_channels,
                     const std::function<double(double)>& term) {
  const auto [N, H, W, C] = x.shape;
  double down = 0, across = 0;
  for (int n = 0; n < N; ++n)
    for (int h = 0; h < H; ++h)
      for (int w = 0; w < W; ++w)
        for (int c = 0; c < C; ++c) {
          if (h + 1 < H) down += term(x(n, h + 1, w, c) - x(n, h, w, c));
          if (w + 1 < W) across += term(x(n, h, w + 1, c) - x(n, h, w, c));
        }
  const double lines = N * (over_channels ? C : 1);
  return (H > 1 ? down / (lines * (H - 1) * W) : 0) + (W > 1 ? across / (lines * H * (W - 1)) : 0);
}

/// The mean of a region over its pixels and channels; 0 outside.
double region_mean(const Numbers& x, int n, int p, int q, int side) {
  if (p < 0 || q < 0 || p >= x.shape.h / side || q >= x.shape.w / side) return 0;
  double sum = 0;
  for (int h = p * side; h < (p + 1) * side; ++h)
    for (int w = q * side; w < (q + 1) * side; ++w)
      for (int c = 0; c < x.shape.c; ++c) sum += x(n, h, w, c);
  return sum / (side * side * x.shape.c);
}

/// The mean of of(n, p, q) over all regions.
double mean_of_regions(const Numbers& x, int side, const std::function<double(int, int, int)>& of) {
  const int rows = x.shape.h / side, columns = x.shape.w / side;
  double sum = 0;
  for (int n = 0; n < x.shape.n; ++n)
    for (int p = 0; p < rows; ++p)
      for (int q = 0; q < columns; ++q) sum += of(n, p, q);
  return sum / (x.shape.n * rows * columns);
}

double spatial_formula(const Numbers& x, const Numbers& input, int side) {
  return mean_of_regions(x, side, [&](int n, int p, int q) {
    double sum = 0;
    for (const auto& [r, s] : {std::pair{p, q - 1}, {p, q + 1}, {p - 1, q}, {p + 1, q}}) {
      const double of_x = region_mean(x, n, p, q, side) - region_mean(x, n, r, s, side);
      const double of_input = region_mean(input, n, p, q, side) - region_mean(input, n, r, s, side);
      sum += (of_x - of_input) * (of_x - of_input);
    }
    return sum;
  });
}

double exposure_formula(const Numbers& x, double level, int side) {
  return mean_of_regions(x, side, [&](int n, int p, int q) {
    return std::pow(region_mean(x, n, p, q, side) - level, 2);
  });
}

double colour_formula(const Numbers& x) {
  double total = 0;
  for (int n = 0; n < x.shape.n; ++n) {
    double mean[3] = {};
    for (int h = 0; h < x.shape.h; ++h)
      for (int w = 0; w < x.shape.w; ++w)
        for (int c = 0; c < 3; ++c) mean[c] += x(n, h, w, c) / (x.shape.h * x.shape.w);
    total += std::sqrt(std::pow(mean[0] - mean[1], 4) + std::pow(mean[0] - mean[2], 4) +
                       std::pow(mean[1] - mean[2], 4));
  }
  return total / x.shape.n;
}

std::vector<Case> cases() {
  return {
      {"ssim", ssim_loss, ssim_formula, true},
      {"total_variation", [](const Tensor& x, const Tensor&) { return total_variation_loss(x); },
       [](const Numbers& x, const Numbers&) {
         return of_neighbours(x, true, [](double d) { return std::abs(d); });
       },
       false},
      {"illumination_smoothness",
       [](const Tensor& x, const Tensor&) { return illumination_smoothness_loss(x); },
       [](const Numbers& x, const Numbers&) {
         return 2 * of_neighbours(x, false, [](double d) { return d * d; });
       },
       false},
      {"spatial_consistency",
       [](const Tensor& x, const Tensor& input) { return spatial_consistency_loss(x, input); },
       [](const Numbers& x, const Numbers& input) { return spatial_formula(x, input, 4); }, true},
      {"spatial_consistency 3",
       [](const Tensor& x, const Tensor& input) { return spatial_consistency_loss(x, input, 3); },
       [](const Numbers& x, const Numbers& input) { return spatial_formula(x, input, 3); }, true},
      {"exposure", [](const Tensor& x, const Tensor&) { return exposure_loss(x, 0.4, 5); },
       [](const Numbers& x, const Numbers&) { return exposure_formula(x, 0.4, 5); }, false},
      {"colour_constancy", [](const Tensor& x, const Tensor&) { return colour_constancy_loss(x); },
       [](const Numbers& x, const Numbers&) { return colour_formula(x); }, false},
  };
}

/// dL/dx by central differences.
Tensor numeric_gradient(const Formula& formula, Numbers x, const Numbers& other) {
  constexpr double kStep = 1e-6;
  std::vector<float> gradient;
  for (double& value : x.values) {
    const double middle = value;
    value = middle + kStep;
    const double above = formula(x, other);
    value = middle - kStep;
    gradient.push_back(static_cast<float>((above - formula(x, other)) / (2 * kStep)));
    value = middle;
  }
  return Tensor::from(x.shape, gradient);
}

Image noise_picture(std::uint64_t seed) {
  const Tensor x = random_tensor({1, 19, 23, 3}, seed);
  float* values = x.view<float>().data;
  for (int i = 0; i < x.shape().elements(); ++i) values[i] = 0.5f + 0.5f * values[i];
  return as_image(x);
}

}  // namespace

TEST_CASE("window losses: value and gradient equal the formula and its finite differences") {
  for (const Shape& shape : {Shape{1, 11, 11, 3}, Shape{2, 13, 12, 3}}) {
    const Tensor x = random_tensor(shape, 1), other = random_tensor(shape, 2);
    for (const Case& loss : cases()) {
      CAPTURE(loss.name);
      CAPTURE(to_string(shape));
      const double expected = loss.formula(Numbers(x), Numbers(other));
      const Tensor gradient = numeric_gradient(loss.formula, Numbers(x), Numbers(other));
      const Guarded cut(x), from(other);
      Tensor first;
      on_one_and_two_threads([&](int) {
        for (const Loss& got : {loss.loss(x, other), loss.loss(cut.tensor(), from.tensor())}) {
          CHECK(std::abs(got.value - expected) <= 1e-9 * std::abs(expected));
          CHECK(relative_error(got.gradient, gradient) <= 1e-6);
          if (!first) first = got.gradient;
          CHECK(identical(got.gradient, first));
        }
      });
    }
  }
}

TEST_CASE("window losses: SSIM is the one that pictures are scored with") {
  const Image test = noise_picture(3), reference = noise_picture(4);
  const Tensor x = window_to_float(test, 0, 0, 19, 23);
  const Tensor target = window_to_float(reference, 0, 0, 19, 23);
  CHECK(ssim_loss(x, target).value ==
        doctest::Approx(1 - ssim(test, reference).value).epsilon(1e-6));
  CHECK(std::abs(ssim_loss(x, x).value) < 1e-12);
}

TEST_CASE("window losses: a line of pixels has neighbours in one direction only") {
  const Tensor line = random_tensor({1, 1, 7, 24}, 5), pixel = random_tensor({1, 1, 1, 24}, 6);
  for (const auto& loss : {total_variation_loss, illumination_smoothness_loss}) {
    CHECK(loss(line).value > 0);
    CHECK(loss(pixel).value == 0);
    CHECK(identical(loss(pixel).gradient, Tensor::zeros(pixel.shape())));
  }
}

TEST_CASE("window losses: values have the same bits for any number of threads, and NaN shows") {
  const Tensor x = random_tensor({3, 37, 41, 3}, 7), other = random_tensor({3, 37, 41, 3}, 8);
  const Tensor wrong = x.clone();
  wrong.view<float>()(1, 12, 13, 2) = std::numeric_limits<float>::quiet_NaN();
  for (const Case& loss : cases()) {
    CAPTURE(loss.name);
    std::vector<double> values;
    on_one_and_two_threads([&](int) { values.push_back(loss.loss(x, other).value); });
    CHECK(values[0] == values[1]);
    CHECK(std::isnan(loss.loss(wrong, other).value));
  }
}

TEST_CASE("window losses: a grey picture has no cast, and gradient 0") {
  const Tensor grey = Tensor::from({1, 1, 2, 3}, std::vector{0.2f, 0.2f, 0.2f, 0.7f, 0.7f, 0.7f});
  CHECK(colour_constancy_loss(grey).value == 0);
  CHECK(identical(colour_constancy_loss(grey).gradient, Tensor::zeros(grey.shape())));
}

TEST_CASE("window losses: what does not fit is refused") {
  const Tensor x = Tensor::zeros({1, 10, 12, 3}), other = Tensor::zeros({1, 12, 10, 3});
  for (const Case& loss : cases()) {
    CAPTURE(loss.name);
    CHECK_THROWS_AS(loss.loss(Tensor(), Tensor()), ShapeError);
    if (loss.has_other) CHECK_THROWS_AS(loss.loss(x, other), ShapeError);
  }
  CHECK_THROWS_WITH_AS(ssim_loss(x, x), "ssim_loss: no window of 11x11 fits into [1,10,12,3]",
                       ShapeError);
  CHECK_THROWS_WITH_AS(exposure_loss(x, 0.6, 16),
                       "exposure_loss: no region of 16x16 fits into [1,10,12,3]", ShapeError);
  CHECK_THROWS_WITH_AS(spatial_consistency_loss(x, x, 0),
                       "spatial_consistency_loss: region is 0; it must be 1 or more", UsageError);
  CHECK_THROWS_WITH_AS(colour_constancy_loss(Tensor::zeros({1, 4, 4, 1})),
                       "colour_constancy_loss: the prediction is [1,4,4,1], which is not RGB",
                       ShapeError);
}

}  // namespace mend::test
