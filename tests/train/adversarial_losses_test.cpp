#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "engine/error.h"
#include "tests/support/guarded.h"
#include "tests/train/double_network.h"
#include "train/losses.h"

namespace mend::test {
namespace {

struct Case {
  const char* name;
  std::function<Loss(const Tensor&)> loss;
  std::function<double(double)> term;  ///< whose mean it is
};

std::vector<Case> cases() {
  using Kind = GanKind;
  const auto generator = [](Kind kind) {
    return [=](const Tensor& z) { return generator_loss(z, kind); };
  };
  const auto discriminator = [](Kind kind, bool real) {
    return [=](const Tensor& z) { return discriminator_loss(z, kind, real); };
  };
  const auto taken_for_real = [](double z) { return -std::log(1 / (1 + std::exp(-z))); };
  const auto taken_for_made = [](double z) { return -std::log(1 - 1 / (1 + std::exp(-z))); };
  const auto from_one = [](double z) { return (z - 1) * (z - 1); };
  return {
      {"vanilla, generator", generator(Kind::kVanilla), taken_for_real},
      {"vanilla, real", discriminator(Kind::kVanilla, true), taken_for_real},
      {"vanilla, made", discriminator(Kind::kVanilla, false), taken_for_made},
      {"least squares, generator", generator(Kind::kLeastSquares), from_one},
      {"least squares, real", discriminator(Kind::kLeastSquares, true), from_one},
      {"least squares, made", discriminator(Kind::kLeastSquares, false),
       [](double z) { return z * z; }},
      {"hinge, generator", generator(Kind::kHinge), [](double z) { return -z; }},
      {"hinge, real", discriminator(Kind::kHinge, true),
       [](double z) { return std::max(0.0, 1 - z); }},
      {"hinge, made", discriminator(Kind::kHinge, false),
       [](double z) { return std::max(0.0, 1 + z); }},
  };
}

}  // namespace

TEST_CASE("adversarial losses: value and gradient equal the formula and its finite differences") {
  for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{2, 5, 3, 1}, Shape{3, 4, 7, 2}}) {
    const Tensor z = random_tensor(shape, 1);
    for (int i = 0; i < shape.elements(); ++i)
      z.view<float>().data[i] *= 3;  // beyond the hinge too
    const Guarded cut(z);
    for (const Case& row : cases()) {
      CAPTURE(row.name);
      CAPTURE(to_string(shape));
      const auto formula = [&](const Doubles& x) {
        double sum = 0;
        for (const double value : x.values) sum += row.term(value);
        return sum / static_cast<double>(x.values.size());
      };
      const double expected = formula(Doubles(z));
      const Tensor gradient = numeric_gradient(formula, Doubles(z));
      on_one_and_two_threads([&](int) {
        for (const Tensor& given : {z, cut.tensor()}) {
          const Loss got = row.loss(given);
          CHECK(got.value == doctest::Approx(expected).epsilon(1e-9));
          CHECK(relative_error(got.gradient, gradient) <= 1e-6);
        }
      });
    }
  }
}

TEST_CASE("adversarial losses: sure verdicts do not overflow, and a NaN shows") {
  const Tensor sure = Tensor::from({1, 1, 2, 1}, std::vector<float>{1000, -1000});
  CHECK(generator_loss(sure, GanKind::kVanilla).value == doctest::Approx(500));
  CHECK(discriminator_loss(sure, GanKind::kVanilla, false).value == doctest::Approx(500));
  const Tensor slope = generator_loss(sure, GanKind::kVanilla).gradient;
  CHECK(slope.view<const float>().data[0] == 0);
  CHECK(slope.view<const float>().data[1] == -0.5f);
  const Tensor wrong = Tensor::full({1, 1, 2, 1}, std::numeric_limits<float>::quiet_NaN());
  for (const Case& row : cases()) {
    CAPTURE(row.name);
    CHECK(std::isnan(row.loss(wrong).value));
    CHECK_THROWS_AS(row.loss(Tensor()), ShapeError);
  }
}

}  // namespace mend::test
