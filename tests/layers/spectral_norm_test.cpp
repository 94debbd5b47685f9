#include "layers/spectral_norm.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "kernels/gradient_tape.h"
#include "tests/support/guarded.h"

namespace mend::test {
namespace {

/// The numbers of a tensor, rows by n, in double.
struct Matrix {
  explicit Matrix(const Tensor& x)
      : rows(x.shape().n), columns(static_cast<int>(x.shape().elements() / x.shape().n)) {
    const float* from = x.view<const float>().data;
    values.assign(from, from + x.shape().elements());
  }
  double& operator()(int row, int column) {
    return values[static_cast<std::size_t>(row * columns + column)];
  }
  double operator()(int row, int column) const {
    return values[static_cast<std::size_t>(row * columns + column)];
  }
  int rows, columns;
  std::vector<double> values;
};

void normalise(std::vector<double>& vector) {
  double squares = 0;
  for (const double value : vector) squares += value * value;
  for (double& value : vector) value /= std::sqrt(squares);
}

double error_of(const Tensor& vector, const std::vector<double>& expected) {
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    worst = std::max(worst, std::abs(vector.view<const float>().data[i] - expected[i]));
  }
  return worst;
}

}  // namespace

TEST_CASE("spectral norm: a step of the power iteration is that of the formula") {
  for (const Shape& shape :
       {Shape{5, 3, 3, 7}, Shape{1, 1, 1, 1}, Shape{16, 4, 4, 3}, Shape{3, 1, 1, 33}}) {
    CAPTURE(to_string(shape));
    const Tensor weight = random_tensor(shape, 1);
    const Tensor u = random_tensor(vector_shape(shape.n), 2);
    const Tensor v = random_tensor({1, shape.h, shape.w, shape.c}, 3);
    const Matrix W(weight);
    const float* before = u.view<const float>().data;
    std::vector<double> new_v(static_cast<std::size_t>(W.columns)),
        new_u(static_cast<std::size_t>(W.rows));
    for (int j = 0; j < W.columns; ++j)
      for (int i = 0; i < W.rows; ++i) new_v[j] += W(i, j) * before[i];
    normalise(new_v);
    for (int i = 0; i < W.rows; ++i)
      for (int j = 0; j < W.columns; ++j) new_u[i] += W(i, j) * new_v[j];
    normalise(new_u);
    power_iteration(weight, u, v);
    CHECK(error_of(v, new_v) <= 1e-6);
    CHECK(error_of(u, new_u) <= 1e-6);
  }
}

TEST_CASE("spectral norm: the iterations end at the largest singular value") {
  const Shape shape{2, 3, 3, 4};
  const Tensor weight = random_tensor(shape, 4);
  const Matrix W(weight);
  double a = 0, b = 0, d = 0;  // W·Wᵀ = (a b; b d), its larger eigenvalue is σ²
  for (int j = 0; j < W.columns; ++j) {
    a += W(0, j) * W(0, j);
    b += W(0, j) * W(1, j);
    d += W(1, j) * W(1, j);
  }
  const double sigma = std::sqrt((a + d) / 2 + std::sqrt((a - d) * (a - d) / 4 + b * b));
  const Tensor u = random_tensor(vector_shape(2), 5), v = random_tensor({1, 3, 3, 4}, 6);
  for (int i = 0; i < 200; ++i) power_iteration(weight, u, v);
  const auto store = std::make_shared<ParameterStore>(Checkpoint{}, "one convolution");
  store->replace({{"c.weight_orig", weight}, {"c.weight_u", u}, {"c.weight_v", v}});
  const SpectralNormConv2d layer(Scope(store) / "c", 4, 2, 3);
  for (int i = 0; i < shape.elements(); ++i) {
    CHECK(layer.weight.view<const float>().data[i] * sigma ==
          doctest::Approx(weight.view<const float>().data[i]).epsilon(1e-5));
  }
}

TEST_CASE("spectral norm: value and gradient of the normalised convolution") {
  const Shape shape{3, 2, 2, 4};
  const Tensor weight = random_tensor(shape, 7), u = random_tensor(vector_shape(3), 8);
  const Tensor v = random_tensor({1, 2, 2, 4}, 9);
  const Tensor x = random_tensor({1, 2, 2, 4}, 10), probe = random_tensor(vector_shape(3), 11);
  const Matrix U(u), V(v), X(x), P(probe);
  // L = Σ_k p[k] · (W·x)[k] / (uᵀ·W·v)
  const auto loss = [&](const Matrix& W) {
    double above = 0, sigma = 0;
    for (int i = 0; i < W.rows; ++i)
      for (int j = 0; j < W.columns; ++j) {
        above += P(0, i) * W(i, j) * X(0, j);
        sigma += U(0, i) * W(i, j) * V(0, j);
      }
    return above / sigma;
  };
  const auto tape = make_gradient_tape();
  const Tensor watched = tape->watch(weight);
  const auto store = std::make_shared<ParameterStore>(Checkpoint{}, "one convolution");
  store->replace({{"c.weight_orig", watched}, {"c.weight_u", u}, {"c.weight_v", v}});
  const SpectralNormConv2d layer(Scope(store) / "c", 4, 3, 2, {.padding = 0});
  const Tensor y = layer(x);
  REQUIRE(y.shape() == Shape{1, 1, 1, 3});
  double value = 0;
  for (int k = 0; k < 3; ++k) {
    value += double{probe.view<const float>().data[k]} * y.view<const float>()(0, 0, 0, k);
  }
  Matrix W(weight);
  CHECK(value == doctest::Approx(loss(W)).epsilon(1e-5));
  const Tensor gradient = tape->gradients({y}, {probe}, {watched})[0];
  std::vector<float> expected;
  constexpr double kStep = 1e-6;
  for (double& number : W.values) {
    const double middle = number;
    number = middle + kStep;
    const double higher = loss(W);
    number = middle - kStep;
    expected.push_back(static_cast<float>((higher - loss(W)) / (2 * kStep)));
    number = middle;
  }
  CHECK(relative_error(gradient, Tensor::from(shape, expected)) <= 1e-5);
}

}  // namespace mend::test
