#include "train/losses.h"

#include <doctest/doctest.h>

#include <cmath>
#include <complex>
#include <functional>
#include <limits>
#include <numbers>
#include <vector>

#include "engine/error.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

using LossOf = std::function<Loss(const Tensor& x, const Tensor& target)>;
/// The formula in double, of d = x − target in NHWC order.
using Formula = std::function<double(const std::vector<double>& d, const Shape& shape)>;

struct Case {
  const char* name;
  LossOf loss;
  Formula formula;
  const char* fixture;  ///< or null
  double within;        ///< relative error of the value and of the gradient's numbers as f32
};

Formula mean_of(const std::function<double(double)>& term) {
  return [term](const std::vector<double>& d, const Shape&) {
    double sum = 0;
    for (const double distance : d) sum += term(distance);
    return sum / static_cast<double>(d.size());
  };
}

double psnr_formula(const std::vector<double>& d, const Shape& shape) {
  const std::size_t image = d.size() / static_cast<std::size_t>(shape.n);
  double decibels = 0;
  for (std::size_t first = 0; first < d.size(); first += image) {
    double squares = 0;
    for (std::size_t i = first; i < first + image; ++i) squares += d[i] * d[i];
    decibels += 10 * std::log10(squares / static_cast<double>(image) + 1e-8);
  }
  return decibels / shape.n;
}

double fft_formula(const std::vector<double>& d, const Shape& shape) {
  const auto [N, H, W, C] = shape;
  double sum = 0;
  for (int n = 0; n < N; ++n)
    for (int c = 0; c < C; ++c)
      for (int k = 0; k < H; ++k)
        for (int l = 0; l <= W / 2; ++l) {
          std::complex<double> number = 0;
          for (int h = 0; h < H; ++h)
            for (int w = 0; w < W; ++w) {
              const double angle = -2 * std::numbers::pi * (double(k) * h / H + double(l) * w / W);
              const int i = ((n * H + h) * W + w) * C + c;
              number += d[static_cast<std::size_t>(i)] * std::polar(1.0, angle);
            }
          sum += std::abs(number.real()) + std::abs(number.imag());
        }
  return sum / (2.0 * N * C * H * (W / 2 + 1));
}

double smooth(double d, double beta) {
  return std::abs(d) < beta ? d * d / (2 * beta) : std::abs(d) - beta / 2;
}

std::vector<Case> cases() {
  const auto absolute = [](double d) { return std::abs(d); };
  const auto smooth_tenth = [](const Tensor& x, const Tensor& t) {
    return smooth_l1_loss(x, t, 0.3);
  };
  const auto smooth_nothing = [](const Tensor& x, const Tensor& t) {
    return smooth_l1_loss(x, t, 0);
  };
  const auto wide_charbonnier = [](const Tensor& x, const Tensor& t) {
    return charbonnier_loss(x, t, 0.1);
  };
  return {
      {"l1", l1_loss, mean_of(absolute), "l1", 1e-6},
      {"mse", mse_loss, mean_of([](double d) { return d * d; }), "mse", 1e-6},
      {"smooth_l1", [](const Tensor& x, const Tensor& t) { return smooth_l1_loss(x, t); },
       mean_of([](double d) { return smooth(d, 1); }), "smooth_l1", 1e-6},
      {"smooth_l1 0.3", smooth_tenth, mean_of([](double d) { return smooth(d, 0.3); }), nullptr,
       1e-6},
      {"smooth_l1 0", smooth_nothing, mean_of(absolute), nullptr, 1e-6},
      {"charbonnier", [](const Tensor& x, const Tensor& t) { return charbonnier_loss(x, t); },
       mean_of([](double d) { return std::sqrt(d * d + 1e-6); }), "charbonnier_1e-3", 1e-6},
      {"charbonnier 0.1", wide_charbonnier,
       mean_of([](double d) { return std::sqrt(d * d + 0.01); }), nullptr, 1e-6},
      {"psnr", psnr_loss, psnr_formula, "psnr_loss", 1e-6},
      {"fft_l1", fft_l1_loss, fft_formula, "fft_l1", 2e-6},
  };
}

std::vector<double> distances(const Tensor& x, const Tensor& target) {
  const float *a = x.view<const float>().data, *b = target.view<const float>().data;
  std::vector<double> d(static_cast<std::size_t>(x.shape().elements()));
  for (std::size_t i = 0; i < d.size(); ++i) d[i] = double{a[i]} - b[i];
  return d;
}

/// dL/dx by central differences.
Tensor numeric_gradient(const Formula& formula, std::vector<double> d, const Shape& shape) {
  constexpr double kStep = 1e-6;
  std::vector<float> gradient;
  for (double& distance : d) {
    const double middle = distance;
    distance = middle + kStep;
    const double above = formula(d, shape);
    distance = middle - kStep;
    gradient.push_back(static_cast<float>((above - formula(d, shape)) / (2 * kStep)));
    distance = middle;
  }
  return Tensor::from(shape, gradient);
}

}  // namespace

TEST_CASE("losses: value and gradient equal the official implementation") {
  for (const Case& loss : cases()) {
    if (loss.fixture == nullptr) continue;
    CAPTURE(loss.name);
    const std::string path =
        shared_path(std::string("goldens/ops/loss__") + loss.fixture + ".safetensors");
    if (!require_data(path)) return;
    const Golden golden = load_golden(path);
    const Loss got = loss.loss(golden.at("input"), golden.at("target"));
    const double expected = golden.at("output").view<const float>().data[0];
    CHECK(std::abs(got.value - expected) <= loss.within * std::abs(expected));
    // The fixture's gradient is that of the loss times its probe.
    const float probe = golden.at("probe").view<const float>().data[0];
    const Tensor gradient = got.gradient.clone();
    float* g = gradient.view<float>().data;
    for (int i = 0; i < gradient.shape().elements(); ++i) g[i] *= probe;
    CHECK(relative_error(gradient, golden.at("grad_input")) <= loss.within);
  }
}

TEST_CASE("losses: value and gradient equal the formula and its finite differences in double") {
  for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{2, 3, 4, 3}, Shape{3, 5, 7, 1},
                             Shape{1, 4, 1, 2}, Shape{2, 1, 2, 5}, Shape{1, 6, 9, 2}}) {
    const Tensor x = random_tensor(shape, 1), target = random_tensor(shape, 2);
    const std::vector<double> d = distances(x, target);
    for (const Case& loss : cases()) {
      CAPTURE(loss.name);
      CAPTURE(to_string(shape));
      const double expected = loss.formula(d, shape);
      const Tensor gradient = numeric_gradient(loss.formula, d, shape);
      const Guarded cut(x), from(target);
      Tensor first;
      on_one_and_two_threads([&](int) {
        for (const Loss& got : {loss.loss(x, target), loss.loss(cut.tensor(), from.tensor())}) {
          CHECK(std::abs(got.value - expected) <= loss.within * std::abs(expected));
          CHECK(relative_error(got.gradient, gradient) <= loss.within);
          if (!first) first = got.gradient;
          CHECK(identical(got.gradient, first));
        }
      });
    }
  }
}

TEST_CASE("losses: values have the same bits for any number of threads") {
  const Tensor x = random_tensor({3, 37, 41, 5}, 3), target = random_tensor({3, 37, 41, 5}, 4);
  for (const Case& loss : cases()) {
    CAPTURE(loss.name);
    std::vector<double> values;
    on_one_and_two_threads([&](int) { values.push_back(loss.loss(x, target).value); });
    CHECK(values[0] == values[1]);
  }
}

TEST_CASE("losses: a prediction that is right has gradient 0, and one NaN shows in the value") {
  const Tensor x = random_tensor({2, 3, 4, 3}, 5), wrong = x.clone();
  wrong.view<float>()(1, 2, 3, 2) = std::numeric_limits<float>::quiet_NaN();
  for (const Case& loss : cases()) {
    CAPTURE(loss.name);
    CHECK(identical(loss.loss(x, x).gradient, Tensor::zeros(x.shape())));
    const Loss spoilt = loss.loss(wrong, x);
    CHECK(std::isnan(spoilt.value));
    CHECK(std::isnan(spoilt.gradient.view<const float>()(1, 2, 3, 2)));
  }
  CHECK(psnr_loss(x, x).value == doctest::Approx(-80));
}

TEST_CASE("losses: what does not fit is refused") {
  const Tensor x = Tensor::zeros({1, 2, 3, 4}), other = Tensor::zeros({1, 3, 2, 4});
  CHECK_THROWS_WITH_AS(l1_loss(x, other),
                       "l1_loss: the prediction is [1,2,3,4], but the target [1,3,2,4]",
                       ShapeError);
  for (const Case& loss : cases()) {
    CAPTURE(loss.name);
    CHECK_THROWS_AS(loss.loss(x, other), ShapeError);
    CHECK_THROWS_AS(loss.loss(Tensor(), Tensor()), ShapeError);
  }
  CHECK_THROWS_WITH_AS(charbonnier_loss(x, x, 0), "charbonnier_loss: eps is 0; it must be above 0",
                       UsageError);
  CHECK_THROWS_WITH_AS(smooth_l1_loss(x, x, -1), "smooth_l1_loss: beta is -1; it must be 0 or more",
                       UsageError);
}

}  // namespace mend::test
