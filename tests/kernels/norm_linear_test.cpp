#include "kernels/norm_linear/norm_linear.h"

#include <doctest/doctest.h>

#include "engine/error.h"
#include "engine/plan.h"
#include "kernels/elementwise/elementwise.h"
#include "tests/kernels/norm_linear_cases.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {
namespace {

const NormLinearCase kLong{{1, 2, 3, 20000}, 3};

}  // namespace

TEST_CASE("norm_linear: every rung matches the reference") {
  std::vector<NormLinearCase> cases(std::begin(kAwkwardNormLinear), std::end(kAwkwardNormLinear));
  cases.push_back(kLong);
  for (const NormLinearCase& problem : cases) {
    CAPTURE(problem.x);
    const op::NormLinear op = problem.op();
    check_rungs(norm_linear_ladder(), op, problem.inputs(),
                [&](const NormLinearKernel& kernel, Inputs in, const Tensor& y, Scratch) {
                  run_norm_linear(op, kernel, in, y);
                });
  }
}

TEST_CASE(
    "norm_linear: is a layer norm and a convolution, bit for bit, and a plan makes it of them") {
  for (const NormLinearCase& problem : kAwkwardNormLinear) {
    CAPTURE(problem.x);
    const op::NormLinear both = problem.op();
    const std::vector<Tensor> in = problem.inputs();
    op::Conv2d linear = both.linear;
    linear.activation = {};
    linear.scale = 1;
    linear.adds_residual = false;
    const Network network = [&](const std::vector<Tensor>& inputs) {
      Tensor y = apply(both.norm, {inputs[0], in[5], in[6]});
      y = apply(linear, {y, in[1], in[2]});
      if (problem.activation.kind != ActivationKind::kNone) {
        y = apply(op::Activate{problem.activation}, {y, in[3]});
      }
      if (problem.scale != 1) y = apply(op::Affine{problem.scale, 0}, {y});
      if (problem.has_residual) y = apply(op::Binary{BinaryKind::kAdd}, {y, inputs[1]});
      return std::vector<Tensor>{y};
    };
    std::vector<Tensor> inputs = {in[0]};
    Shapes shapes = {in[0].shape()};
    if (problem.has_residual) {
      inputs.push_back(in[4]);
      shapes.push_back(in[4].shape());
    }
    Plan plan(network, shapes);
    REQUIRE(plan.graph().steps.size() == 1);
    CHECK(plan.graph().steps[0].op.name() == "norm_linear");
    plan.poison();
    const Tensor planned = plan(inputs).front();
    force_variant("conv2d", "direct");  // whose pieces norm_linear is made of
    CHECK(relative_error(planned, network(inputs).front()) <= 1e-6);
    clear_forced_variants();
    CHECK(identical(planned, mend::apply(both, in)));
  }
}

TEST_CASE("norm_linear: a norm that two layers read, or a 3x3 kernel, stays as it is") {
  const Tensor weight = random_tensor({4, 1, 1, 6}, 1), wide = random_tensor({4, 3, 3, 6}, 2);
  const auto steps = [&](const Network& network) {
    return Plan(network, {{1, 5, 5, 6}}).graph().steps.size();
  };
  op::Conv2d linear, square;
  linear.outputs = square.outputs = 4;
  square.kernel_h = square.kernel_w = 3;
  CHECK(steps([&](const std::vector<Tensor>& in) {
          const Tensor y = apply(op::LayerNorm{}, {in[0]});
          return std::vector<Tensor>{apply(linear, {y, weight}), apply(linear, {y, weight})};
        }) == 3);
  CHECK(steps([&](const std::vector<Tensor>& in) {
          return std::vector<Tensor>{apply(square, {apply(op::LayerNorm{}, {in[0]}), wide})};
        }) == 2);
}

TEST_CASE("norm_linear: a forced rung of one of the two keeps them apart") {
  const Tensor weight = random_tensor({4, 1, 1, 6}, 1);
  op::Conv2d linear;
  linear.outputs = 4;
  force_variant("conv2d", "reference");
  const Plan plan(
      [&](const std::vector<Tensor>& in) {
        return std::vector<Tensor>{apply(linear, {apply(op::LayerNorm{}, {in[0]}), weight})};
      },
      {{1, 5, 5, 6}});
  clear_forced_variants();
  CHECK(plan.graph().steps.size() == 2);
}

TEST_CASE("norm_linear: shapes that do not fit are refused") {
  op::NormLinear op;
  op.linear.outputs = 4;
  const Shapes fits = {{1, 2, 2, 3}, {4, 1, 1, 3}, {}, {}, {}, vector_shape(3), vector_shape(3)};
  CHECK(op.shape(fits) == Shape{1, 2, 2, 4});
  Shapes wrong = fits;
  wrong[op::NormLinear::kGamma] = vector_shape(4);
  CHECK_THROWS_AS(op.shape(wrong), ShapeError);
  op.linear.stride = 2;
  CHECK_THROWS_AS(op.shape(fits), ShapeError);
}

}  // namespace mend::test
