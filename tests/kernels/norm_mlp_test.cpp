#include "kernels/norm_mlp/norm_mlp.h"

#include <doctest/doctest.h>

#include "engine/error.h"
#include "engine/plan.h"
#include "kernels/activation/gate.h"
#include "kernels/channels/channels.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/token_panels.h"
#include "tests/kernels/check_narrow.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {
namespace {

struct Case {
  Shape x;
  int hidden, outputs;
  bool subtract_mean = true, has_bias = true, has_gamma = true, has_residual = false;
  Activation activation = {ActivationKind::kGelu};
  float scale = 1;
  bool gates = false, contracts = true;
  Activation gate = {};
};

const Case kAwkward[] = {
    {{1, 1, 1, 1}, 1, 1},
    {{1, 1, 1, 60}, 120, 60},
    {{2, 3, 5, 7}, 5, 3, false, false, false},
    {{1, 5, 7, 3}, 13, 2, true, true, true, true},
    {{2, 9, 13, 60}, 120, 60, true, true, true, true},
    {{1, 1, 700, 180}, 360, 180, true, true, true, true, {}, -0.5f},
    {{1, 30, 31, 16}, 64, 33, true, false, true, false, {ActivationKind::kLeakyRelu, 0.2f}},
    {{1, 2, 3, 2000}, 500, 3, true, true, false},
    {{1, 9, 13, 32}, 64, 32, true, true, true, true, {}, 1, true},
    {{2, 3, 7, 5}, 26, 9, false, false, false, false, {}, 2, true, true, {ActivationKind::kGelu}},
    {{1, 11, 15, 48}, 254, 127, true, true, true, false, {}, 1, true, false},
};

op::NormMlp op_of(const Case& problem) {
  op::NormMlp op;
  op.norm.subtract_mean = problem.subtract_mean;
  op.expand.outputs = problem.hidden;
  op.expand.activation = problem.activation;
  op.gates = problem.gates;
  op.gate = problem.gate;
  op.contracts = problem.contracts;
  if (op.contracts) op.contract.outputs = problem.outputs;
  op.contract.scale = problem.scale;
  op.contract.adds_residual = problem.has_residual;
  return op;
}

std::vector<Tensor> inputs_of(const Case& problem) {
  const Shape& x = problem.x;
  const int C = x.c, J = problem.hidden, K = problem.outputs, G = problem.gates ? J / 2 : J;
  const auto optional = [](bool there, const Shape& shape, int seed) {
    return there ? random_tensor(shape, seed) : Tensor();
  };
  return {random_tensor(x, 1),
          random_tensor({J, 1, 1, C}, 2),
          optional(problem.has_bias, vector_shape(J), 3),
          optional(problem.contracts, {K, 1, 1, G}, 4),
          optional(problem.has_bias && problem.contracts, vector_shape(K), 5),
          optional(problem.has_residual, {x.n, x.h, x.w, K}, 6),
          optional(problem.has_gamma, vector_shape(C), 7),
          optional(problem.has_gamma, vector_shape(C), 8)};
}

/// The same as single operations.
Tensor apart(const op::NormMlp& op, const std::vector<Tensor>& in, const Tensor& x,
             const Tensor& residual) {
  op::Conv2d expand = op.expand, contract = op.contract;
  expand.activation = {};
  contract.scale = 1;
  contract.adds_residual = false;
  Tensor y = apply(op.norm, {x, in[op.kGamma], in[op.kBeta]});
  y = apply(expand, {y, in[op.kWeight1], in[op.kBias1]});
  if (op.expand.activation.kind != ActivationKind::kNone) {
    y = apply(op::Activate{op.expand.activation}, {y});
  }
  if (op.gates) {
    const int half = op.gated();
    Tensor opened = apply(op::SliceChannels{0, half}, {y});
    const Tensor other = apply(op::SliceChannels{half, half}, {y});
    if (op.gate.kind != ActivationKind::kNone) opened = apply(op::Activate{op.gate}, {opened});
    y = apply(op::Binary{BinaryKind::kMultiply}, {opened, other});
  }
  if (!op.contracts) return y;
  y = apply(contract, {y, in[op.kWeight2], in[op.kBias2]});
  if (op.contract.scale != 1) y = apply(op::Affine{op.contract.scale, 0}, {y});
  if (op.contract.adds_residual) y = apply(op::Binary{BinaryKind::kAdd}, {residual, y});
  return y;
}

}  // namespace

TEST_CASE("norm_mlp: every rung matches the reference") {
  for (const Case& problem : kAwkward) {
    CAPTURE(problem.x);
    const op::NormMlp op = op_of(problem);
    check_rungs(norm_mlp_ladder(), op, inputs_of(problem),
                [&](const NormMlpKernel& kernel, Inputs in, const Tensor& y, Scratch) {
                  for (const NormMlpVariant& rung : norm_mlp_ladder()) {
                    if (rung.kernel.run.f32 != kernel.run.f32) continue;
                    force_variant("norm_mlp", std::string(rung.name.substr(9)));
                    op.forward(in, y, {});
                    clear_forced_variants();
                  }
                });
  }
}

TEST_CASE("norm_mlp: narrow images give f32's numbers, rounded once") {
  for (const Case& problem : kAwkward) {
    CAPTURE(problem.x);
    const op::NormMlp op = op_of(problem);
    const auto narrow = [&](DType type) {
      op::NormMlp narrowed = op;
      narrowed.type = type;
      return narrowed;
    };
    force_variant("norm_mlp", "panels");
    check_narrow(op, narrow, inputs_of(problem), 1u << op.kX | 1u << op.kResidual);
    clear_forced_variants();
  }
}

TEST_CASE("norm_mlp: a plan makes it of a norm, two linear layers and what is between them") {
  for (const Case& problem : kAwkward) {
    CAPTURE(problem.x);
    const op::NormMlp both = op_of(problem);
    const std::vector<Tensor> in = inputs_of(problem);
    const Network network = [&](const std::vector<Tensor>& inputs) {
      return std::vector<Tensor>{apart(both, in, inputs.front(), inputs.back())};
    };
    std::vector<Tensor> inputs = {in[0]};
    Shapes shapes = {in[0].shape()};
    if (problem.has_residual) {
      inputs.push_back(in[both.kResidual]);
      shapes.push_back(inputs.back().shape());
    }
    Plan plan(network, shapes);
    REQUIRE(plan.graph().steps.size() == 1);
    CHECK(plan.graph().steps[0].op.name() == "norm_mlp");
    plan.poison();
    const Tensor planned = plan(inputs).front();
    CHECK(relative_error(planned, network(inputs).front()) <= 1e-6);
    CHECK(identical(planned, mend::apply(both, in)));
  }
}

TEST_CASE("norm_mlp: many hidden features, or a second activation, stay outside") {
  const auto steps = [&](int hidden, bool activated) {
    const Tensor weight1 = random_tensor({hidden, 1, 1, 6}, 1);
    const Tensor weight2 = random_tensor({6, 1, 1, hidden}, 2);
    op::Conv2d expand, contract;
    expand.outputs = hidden;
    contract.outputs = 6;
    const Plan plan(
        [&](const std::vector<Tensor>& in) {
          Tensor y = apply(op::LayerNorm{}, {in[0]});
          y = apply(contract, {apply(expand, {y, weight1}), weight2});
          if (activated) y = apply(op::Activate{{ActivationKind::kRelu}}, {y});
          return std::vector<Tensor>{y};
        },
        {{1, 5, 5, 6}});
    return plan.graph().steps.size();
  };
  CHECK(steps(1024, false) == 1);
  CHECK(steps(1025, false) == 2);
  CHECK(steps(12, true) == 2);
}

TEST_CASE("norm_mlp: shapes and epilogues that do not fit are refused") {
  const Case problem{{1, 2, 2, 3}, 4, 5};
  const op::NormMlp op = op_of(problem);
  const Shapes fits = shapes_of(inputs_of(problem));
  CHECK(op.shape(fits) == Shape{1, 2, 2, 5});
  Shapes wrong = fits;
  wrong[op::NormMlp::kWeight2] = {5, 1, 1, 3};
  CHECK_THROWS_AS(op.shape(wrong), ShapeError);
  wrong = fits;
  wrong[op::NormMlp::kGamma] = vector_shape(4);
  CHECK_THROWS_AS(op.shape(wrong), ShapeError);
  op::NormMlp strange = op;
  strange.contract.activation = {ActivationKind::kRelu};
  CHECK_THROWS_AS(strange.shape(fits), ShapeError);
  strange = op;
  strange.gates = true;  // behind a GELU
  CHECK_THROWS_AS(strange.shape(fits), ShapeError);
  strange = op;
  strange.contracts = false;
  CHECK_THROWS_AS(strange.shape(fits), ShapeError);
  strange = op;
  strange.expand.kernel_h = 3;
  CHECK_THROWS_AS(strange.shape(fits), ShapeError);
}

TEST_CASE("pack_token_weight: six rows side by side, zeros behind the last, some scaled") {
  const Tensor weight = random_tensor({7, 1, 1, 2}, 1), bias = random_tensor(vector_shape(7), 2);
  const Tensor packed = mend::apply(op::PackTokenWeight{.scaled_rows = 2, .scale = 3}, {weight});
  REQUIRE(packed.shape() == Shape{1, 2, 2, 6});
  const View<const float> p = packed.view<const float>(), w = weight.view<const float>();
  for (int row = 0; row < 12; ++row)
    for (int c = 0; c < 2; ++c) {
      const float expected = row < 7 ? w(row, 0, 0, c) * (row < 2 ? 3.0f : 1.0f) : 0.0f;
      CHECK(p(0, row / 6, c, row % 6) == expected);
    }
  const Tensor padded = mend::apply(op::PackTokenWeight{.is_bias = true}, {bias});
  REQUIRE(padded.shape() == Shape{1, 2, 1, 6});
  for (int row = 0; row < 12; ++row) {
    const float expected = row < 7 ? bias.view<const float>().data[row] : 0.0f;
    CHECK(padded.view<const float>()(0, row / 6, 0, row % 6) == expected);
  }
}

}  // namespace mend::test
