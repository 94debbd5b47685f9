#include "tests/kernels/gradient_check.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <string>

#include "engine/ladder.h"
#include "engine/plan.h"
#include "kernels/gradient_tape.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {
namespace {

Tensors gradients_of(const AnyOp& op, const Tensors& inputs, const std::vector<bool>& wanted,
                     const Tensor& probe) {
  const auto tape = make_gradient_tape();
  Tensors on_tape = inputs, watched;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!wanted[i]) continue;
    on_tape[i] = tape->watch(inputs[i]);
    watched.push_back(on_tape[i]);
  }
  return tape->gradients({apply(op, Inputs(on_tape))}, {probe}, watched);
}

/// The numbers of a small tensor that may lie in slices.
double dot(const Tensor& a, const Tensor& b) {
  const View<const float> x = a.view<const float>(), z = b.view<const float>();
  double sum = 0;
  for (int n = 0; n < x.shape.n; ++n)
    for (int h = 0; h < x.shape.h; ++h)
      for (int w = 0; w < x.shape.w; ++w)
        for (int c = 0; c < x.shape.c; ++c) sum += double{x(n, h, w, c)} * z(n, h, w, c);
  return sum;
}

/// d Σ probe·op(inputs) / d inputs[which][element] by differences of fourth order: its error is that
/// of the f32 results, about 1e-6.
double difference(const AnyOp& op, const Tensors& inputs, std::size_t which, std::int64_t element,
                  const Tensor& probe) {
  constexpr float kStep = 0.03125f;  // 2^-5: added without rounding
  Tensors moved = inputs;
  moved[which] = inputs[which].clone();
  float& number = moved[which].view<float>().data[element];
  const float middle = number;
  double at[5];
  for (int step = -2; step <= 2; ++step) {
    number = middle + static_cast<float>(step) * kStep;
    at[step + 2] = step == 0 ? 0 : dot(apply(op, Inputs(moved)), probe);
  }
  const double h = double{middle + kStep} - middle;
  return (8 * (at[3] - at[1]) - (at[4] - at[0])) / (12 * h);
}

/// At most kMost elements of the gradient with respect to one input.
void check_differences(const AnyOp& op, const Tensors& inputs, std::size_t which,
                       const Tensor& gradient, const Tensor& probe) {
  constexpr std::int64_t kMost = 60;
  const std::int64_t elements = gradient.shape().elements();
  const std::int64_t step = std::max<std::int64_t>(1, elements / kMost);
  const Tensor dense = gradient.clone();
  double errors = 0, squares = 0;
  force_variant(std::string(op.name()), "reference");
  for (std::int64_t i = 0; i < elements; i += step) {
    const double expected = difference(op, inputs, which, i, probe);
    const double error = double{dense.view<const float>().data[i]} - expected;
    errors += error * error;
    squares += expected * expected;
  }
  clear_forced_variants();
  CHECK(std::sqrt(squares) > 0);
  CHECK(std::sqrt(errors) <= 1e-4 * std::sqrt(squares));
}

Tensors planned_gradients(const AnyOp& op, const Tensors& inputs, const std::vector<bool>& wanted,
                          const Tensor& probe) {
  Shapes shapes;
  Tensors given;
  for (const Tensor& input : inputs) {
    if (!input) continue;
    shapes.push_back(input.shape());
    given.push_back(input);
  }
  shapes.push_back(probe.shape());
  given.push_back(probe);
  Plan plan(
      [&](const Tensors& placeholders) {
        Tensors all;
        std::size_t next = 0;
        for (const Tensor& input : inputs) all.push_back(input ? placeholders[next++] : Tensor());
        return gradients_of(op, all, wanted, placeholders.back());
      },
      shapes);
  plan.poison();
  return plan(given);
}

}  // namespace

void check_gradient(const AnyOp& op, const Tensors& inputs, const std::vector<bool>& asked) {
  const std::string described = op.describe();
  CAPTURE(op.name());
  CAPTURE(described);
  std::vector<bool> wanted = asked;
  if (wanted.empty()) {
    for (const Tensor& input : inputs) wanted.push_back(input.defined());
  }
  const Tensor probe = random_tensor(op.shape(shapes_of(inputs)), 99);
  Tensors gradients;
  on_one_and_two_threads([&](int threads) {
    const Tensors made = gradients_of(op, inputs, wanted, probe);
    if (threads == 1) gradients = made;
    for (std::size_t i = 0; i < made.size(); ++i) CHECK(identical(made[i], gradients[i]));
  });
  const Tensors planned = planned_gradients(op, inputs, wanted, probe);
  Tensors slices;
  std::vector<Guarded> guards;
  for (const Tensor& input : inputs) {
    slices.push_back(input ? guards.emplace_back(input).tensor() : Tensor());
  }
  const Guarded sliced_probe(probe);
  const bool is_view = AnyOp(op).is_view();
  const Tensors of_slices =
      is_view ? gradients : gradients_of(op, slices, wanted, sliced_probe.tensor());
  std::size_t next = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!wanted[i]) continue;
    CAPTURE(i);
    const Tensor& gradient = gradients[next];
    REQUIRE(gradient.shape() == inputs[i].shape());
    CHECK(relative_error(planned[next], gradient) <= 1e-5);
    CHECK(relative_error(of_slices[next], gradient) <= 1e-5);
    check_differences(op, inputs, i, gradient, probe);
    ++next;
  }
}

Tensor away_from_0(const Shape& shape, std::uint64_t seed, float margin) {
  const Tensor x = random_tensor(shape, seed);
  float* values = x.view<float>().data;
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    values[i] += values[i] < 0 ? -margin : margin;
  }
  return x;
}

Tensor far_apart(const Shape& shape, std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = 0.15f * (static_cast<float>(i) - static_cast<float>(values.size()) / 2);
  }
  std::shuffle(values.begin(), values.end(), std::mt19937_64(seed));
  return Tensor::from(shape, values);
}

}  // namespace mend::test
