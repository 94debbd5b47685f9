// The losses against their formulas, finite differences of them, and themselves run in other ways.
#include "kernels/pixel_loss/pixel_loss.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/gradient_tape.h"
#include "tests/kernels/gradient_check.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {
namespace {

using enum PixelLossKind;
constexpr PixelLoss kLosses[] = {{kL1},
                                 {kMse, 0, 0.5},
                                 {kSmoothL1, 0.3},
                                 {kSmoothL1, 0, 2},
                                 {kCharbonnier, 1e-3, 0.7},
                                 {kCharbonnier, 0.5},
                                 {kLogarithm, 0.3, 2},
                                 {kRoot},
                                 {kKnownL1, 0, 0.4},
                                 {kLogistic, 0, 0.5},
                                 {kHinge},
                                 {kWasserstein, 0, 2}};

bool is_of_distance(const PixelLoss& loss) { return loss.kind < kLogistic; }

double rho(const PixelLoss& loss, double x, double target) {
  const double a = loss.parameter, d = x - target, s = 2 * target - 1;
  switch (loss.kind) {
    case kL1:
      return std::abs(d);
    case kMse:
      return d * d;
    case kSmoothL1:
      return std::abs(d) < a ? d * d / (2 * a) : std::abs(d) - a / 2;
    case kCharbonnier:
      return std::hypot(d, a);
    case kLogarithm:
      return std::log(std::abs(d) + a);
    case kRoot:
      return std::sqrt(std::abs(d));
    case kKnownL1:
      return std::abs(d);
    case kLogistic:
      return std::log1p(std::exp(-s * x));
    case kHinge:
      return std::max(0.0, 1 - s * x);
    case kWasserstein:
      return -s * x;
    case kKnown:
      return 1;
  }
  return 0;
}

/// Two pictures that differ in every number.
struct Pictures {
  explicit Pictures(const Shape& shape)
      : target(random_tensor(shape, 2)), x(random_tensor(shape, 1)) {
    const Tensor d = away_from_0(shape, 1);
    for (std::int64_t i = 0; i < shape.elements(); ++i) {
      x.view<float>().data[i] = target.view<float>().data[i] + d.view<float>().data[i];
    }
  }
  Tensor target, x;
};

}  // namespace

TEST_CASE("pixel losses: the value is that of the formula, the gradient its differences") {
  const Shape shape{2, 3, 5, 3};
  const Pictures pictures(shape);
  const double count = static_cast<double>(shape.elements());
  for (const PixelLoss& loss : kLosses) {
    CAPTURE(name_of(loss.kind));
    CAPTURE(loss.parameter);
    const Tensor value = apply(op::PixelLossValue{loss}, {pictures.x, pictures.target});
    const Tensor gradient = apply(op::PixelLossGradient{loss}, {pictures.x, pictures.target});
    double expected = 0;
    for (std::int64_t i = 0; i < shape.elements(); ++i) {
      constexpr double kStep = 1e-6;
      const double x = pictures.x.view<float>().data[i];
      const double target = pictures.target.view<float>().data[i];
      expected += loss.weight * rho(loss, x, target) / count;
      const double slope =
          (rho(loss, x + kStep, target) - rho(loss, x - kStep, target)) / (2 * kStep);
      CHECK(gradient.view<float>().data[i] ==
            doctest::Approx(loss.weight * slope / count).epsilon(1e-5));
    }
    CHECK(value.shape() == vector_shape(1));
    CHECK(value.view<float>().data[0] == doctest::Approx(expected).epsilon(1e-6));
    const Tensor both = Tensor::empty(shape);
    const double at_once = pixel_loss(loss, pictures.x.view<const float>(),
                                      pictures.target.view<const float>(), both.view<float>());
    CHECK(static_cast<float>(at_once) == value.view<float>().data[0]);
    CHECK(identical(both, gradient));
  }
}

TEST_CASE("pixel losses: where the target is not known, nothing is lost") {
  const Pictures pictures({2, 3, 5, 3});
  const Tensor target = pictures.target.clone();
  double expected = 0;
  for (int i = 0; i < 90; ++i) {
    float& wanted = target.view<float>().data[i];
    if (i % 3 == 1) {
      wanted = std::numeric_limits<float>::quiet_NaN();
    } else {
      expected += std::abs(double{pictures.x.view<float>().data[i]} - wanted) / 90;
    }
  }
  const auto value = [&](PixelLossKind kind) {
    return apply(op::PixelLossValue{{kind}}, {pictures.x, target}).view<float>().data[0];
  };
  CHECK(value(kKnownL1) == doctest::Approx(expected).epsilon(1e-6));
  CHECK(value(kKnown) == doctest::Approx(60.0 / 90).epsilon(1e-6));
  const Tensor slope = apply(op::PixelLossGradient{{kKnownL1}}, {pictures.x, target});
  for (int i = 0; i < 90; ++i) CHECK((slope.view<float>().data[i] == 0) == (i % 3 == 1));
}

TEST_CASE("pixel losses: the value's gradient is that of the operation beside it") {
  const Pictures pictures({2, 3, 5, 3});
  for (const PixelLoss& loss : kLosses) {
    const auto tape = make_gradient_tape();
    const Tensor x = tape->watch(pictures.x);
    const Tensor value = apply(op::PixelLossValue{loss}, {x, pictures.target});
    const Tensor twice = Tensor::full(vector_shape(1), 2);
    const Tensor expected = apply(op::PixelLossGradient{loss}, {pictures.x, pictures.target});
    const Tensor got = tape->gradients({value}, {twice}, {x})[0];
    for (int i = 0; i < 90; ++i) {
      CHECK(got.view<float>().data[i] == 2 * expected.view<float>().data[i]);
    }
  }
}

TEST_CASE("pixel losses: in slices and for any number of threads the same bits") {
  const Pictures pictures({2, 3, 5, 7});
  for (const PixelLoss& loss : kLosses) {
    const auto call = [&](PixelLossKernel kernel, Inputs in, const Tensor& y, Scratch) {
      kernel(loss, in[0].view<const float>(), in[1].view<const float>(), y.view<float>());
    };
    check_rungs(pixel_loss_value_ladder(), op::PixelLossValue{loss}, {pictures.x, pictures.target},
                call);
    check_rungs(pixel_loss_gradient_ladder(), op::PixelLossGradient{loss},
                {pictures.x, pictures.target}, call);
  }
}

TEST_CASE("pixel losses: 0 at a kink, NaN stays, and what makes no sense is refused") {
  const Tensor x = random_tensor({1, 2, 2, 3}, 1);
  for (const PixelLoss& loss : kLosses) {
    if (is_of_distance(loss)) {
      const Tensor gradient = apply(op::PixelLossGradient{loss}, {x, x});
      CHECK(identical(gradient, Tensor::zeros(x.shape())));
    }
    Tensor broken = x.clone();
    broken.view<float>().data[4] = std::numeric_limits<float>::quiet_NaN();
    CHECK(std::isnan(apply(op::PixelLossValue{loss}, {broken, x}).view<float>().data[0]));
  }
  const auto run = [&](const PixelLoss& loss, const Tensor& target) {
    return apply(op::PixelLossValue{loss}, {x, target});
  };
  CHECK_THROWS_AS(run({kL1}, Tensor::zeros({1, 2, 2, 1})), ShapeError);
  CHECK_THROWS_AS(run({kSmoothL1, -1}, x), UsageError);
  CHECK_THROWS_AS(run({kCharbonnier, 0}, x), UsageError);
  CHECK_THROWS_AS(run({kLogarithm, 0}, x), UsageError);
}

}  // namespace mend::test
