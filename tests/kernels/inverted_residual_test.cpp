#include "kernels/inverted_residual/inverted_residual.h"

#include <doctest/doctest.h>

#include "engine/error.h"
#include "engine/plan.h"
#include "kernels/activation/gate.h"
#include "kernels/channels/channels.h"
#include "kernels/elementwise/elementwise.h"
#include "tests/kernels/check_narrow.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {
namespace {

using Block = op::InvertedResidual;

struct Case {
  Shape x;
  int hidden, outputs;  // outputs 0: no projection
  bool gates = true;
  Activation gate = {};
  bool subtract_mean = true, has_bias = true, has_gamma = true, has_residual = false;
  Activation depthwise = {};
  float scale = 1;
};

constexpr Activation kGelu{ActivationKind::kGelu};
constexpr Activation kRelu{ActivationKind::kRelu};

const Case kAwkward[] = {
    {{1, 1, 1, 1}, 32, 1},
    {{1, 1, 70, 5}, 32, 0, false},
    {{2, 70, 1, 3}, 34, 3},
    {{1, 2, 2, 48}, 254, 48, true, kGelu, false, false, true, true},
    {{2, 35, 41, 9}, 130, 9, true, kGelu, true, true, true, true},
    {{1, 40, 29, 6}, 33, 7, false, {}, true, true, false, false, kRelu, -0.5f},
    {{1, 17, 75, 8}, 510, 8, true, kGelu, false, false, true, true},
    {{1, 19, 37, 96}, 96, 0, true},
    {{1, 50, 66, 4}, 1024, 4, true, {ActivationKind::kSilu}, true, true, true, true},
};

Block block_of(const Case& problem) {
  Block op;
  op.norm.subtract_mean = problem.subtract_mean;
  op.expand.outputs = problem.hidden;
  op.depthwise = {.kernel_h = 3,
                  .kernel_w = 3,
                  .padding_h = 1,
                  .padding_w = 1,
                  .groups = problem.hidden,
                  .activation = problem.depthwise,
                  .outputs = problem.hidden};
  op.gates = problem.gates;
  op.gate = problem.gate;
  op.projects = problem.outputs > 0;
  if (op.projects) op.project.outputs = problem.outputs;
  op.project.scale = problem.scale;
  op.project.adds_residual = problem.has_residual;
  return op;
}

std::vector<Tensor> inputs_of(const Case& problem) {
  const Shape& x = problem.x;
  const int C = x.c, J = problem.hidden, K = problem.outputs, G = problem.gates ? J / 2 : J;
  const auto optional = [](bool there, const Shape& shape, int seed) {
    return there ? random_tensor(shape, seed) : Tensor();
  };
  std::vector<Tensor> inputs(Block::kSlots);
  inputs[Block::kX] = random_tensor(x, 1);
  inputs[Block::kGamma] = optional(problem.has_gamma, vector_shape(C), 2);
  inputs[Block::kBeta] = optional(problem.has_gamma && problem.has_bias, vector_shape(C), 3);
  inputs[Block::kExpandWeight] = random_tensor({J, 1, 1, C}, 4);
  inputs[Block::kExpandBias] = optional(problem.has_bias, vector_shape(J), 5);
  inputs[Block::kDepthwiseWeight] = random_tensor({J, 3, 3, 1}, 6);
  inputs[Block::kDepthwiseBias] = optional(problem.has_bias, vector_shape(J), 7);
  if (K == 0) return inputs;
  inputs[Block::kProjectWeight] = random_tensor({K, 1, 1, G}, 8);
  inputs[Block::kProjectBias] = optional(problem.has_bias, vector_shape(K), 9);
  inputs[Block::kResidual] = optional(problem.has_residual, {x.n, x.h, x.w, K}, 10);
  return inputs;
}

/// The same as single operations.
Tensor apart(const Block& op, const std::vector<Tensor>& in, const Tensor& x,
             const Tensor& residual) {
  op::Conv2d depthwise = op.depthwise, project = op.project;
  depthwise.activation = {};
  project.scale = 1;
  project.adds_residual = false;
  Tensor y = apply(op.norm, {x, in[Block::kGamma], in[Block::kBeta]});
  y = apply(op.expand, {y, in[Block::kExpandWeight], in[Block::kExpandBias]});
  y = apply(depthwise, {y, in[Block::kDepthwiseWeight], in[Block::kDepthwiseBias]});
  if (op.depthwise.activation.kind != ActivationKind::kNone) {
    y = apply(op::Activate{op.depthwise.activation}, {y});
  }
  if (op.gates) {
    const int half = op.gated();
    Tensor opened = apply(op::SliceChannels{0, half}, {y});
    const Tensor other = apply(op::SliceChannels{half, half}, {y});
    if (op.gate.kind != ActivationKind::kNone) opened = apply(op::Activate{op.gate}, {opened});
    y = apply(op::Binary{BinaryKind::kMultiply}, {opened, other});
  }
  if (!op.projects) return y;
  y = apply(project, {y, in[Block::kProjectWeight], in[Block::kProjectBias]});
  if (op.project.scale != 1) y = apply(op::Affine{op.project.scale, 0}, {y});
  return residual.defined() ? apply(op::Binary{BinaryKind::kAdd}, {residual, y}) : y;
}

}  // namespace

TEST_CASE("inverted_residual: every rung matches the reference") {
  for (const Case& problem : kAwkward) {
    CAPTURE(problem.x);
    const Block op = block_of(problem);
    check_rungs(inverted_residual_ladder(), op, inputs_of(problem),
                [&](const InvertedResidualKernel& kernel, Inputs in, const Tensor& y, Scratch) {
                  for (const InvertedResidualVariant& rung : inverted_residual_ladder()) {
                    if (rung.kernel.run.f32 != kernel.run.f32) continue;
                    force_variant("inverted_residual", std::string(rung.name.substr(18)));
                    op.forward(in, y, {});
                    clear_forced_variants();
                  }
                });
  }
}

TEST_CASE("inverted_residual: narrow images give f32's numbers, rounded once") {
  for (const Case& problem : kAwkward) {
    CAPTURE(problem.x);
    const Block op = block_of(problem);
    const auto narrow = [&](DType type) {
      Block narrowed = op;
      narrowed.type = type;
      return narrowed;
    };
    if (!inverted_residual_strips_refuses(op, {}).empty()) continue;
    force_variant("inverted_residual", "strips");
    // The residual is added behind the scale's rounding, not in one step with it.
    check_narrow(op, narrow, inputs_of(problem), 1u << Block::kX | 1u << Block::kResidual, 2e-4);
    clear_forced_variants();
  }
}

TEST_CASE(
    "inverted_residual: a plan makes it of a norm, three convolutions and what is between them") {
  for (const Case& problem : kAwkward) {
    CAPTURE(problem.x);
    const Block block = block_of(problem);
    const std::vector<Tensor> in = inputs_of(problem);
    const Network network = [&](const std::vector<Tensor>& inputs) {
      const Tensor residual = problem.has_residual ? inputs.back() : Tensor();
      return std::vector<Tensor>{apart(block, in, inputs.front(), residual)};
    };
    std::vector<Tensor> inputs = {in[Block::kX]};
    if (problem.has_residual) inputs.push_back(in[Block::kResidual]);
    Plan plan(network, shapes_of(inputs));
    REQUIRE(plan.graph().steps.size() == 1);
    CHECK(plan.graph().steps[0].op.name() == "inverted_residual");
    plan.poison();
    const Tensor planned = plan(inputs).front();
    CHECK(relative_error(planned, network(inputs).front()) <= 1e-6);
    CHECK(identical(planned, mend::apply(block, in)));
  }
}

TEST_CASE("inverted_residual: neither strips nor bands show in the result") {
  const Case problem{{1, 70, 90, 16}, 320, 16, true, kGelu, false, false, true, true};
  const Block block = block_of(problem);
  const std::vector<Tensor> in = inputs_of(problem);
  const Tensor whole = mend::apply(block, in);
  // Columns 20 to 59 of rows 9 to 48, with the pixels around them.
  const auto crop = [](const Tensor& image, int h, int w, int rows, int columns) {
    const Tensor part = Tensor::empty({1, rows, columns, image.shape().c});
    const View<const float> from = image.view<const float>();
    const View<float> to = part.view<float>();
    for (int r = 0; r < rows; ++r)
      for (int s = 0; s < columns; ++s)
        for (int c = 0; c < to.shape.c; ++c) to(0, r, s, c) = from(0, h + r, w + s, c);
    return part;
  };
  std::vector<Tensor> part = in;
  part[Block::kX] = crop(in[Block::kX], 8, 19, 42, 42);
  part[Block::kResidual] = crop(in[Block::kResidual], 8, 19, 42, 42);
  const Tensor inner = crop(mend::apply(block, part), 1, 1, 40, 40);
  CHECK(identical(inner, crop(whole, 9, 20, 40, 40)));
}

TEST_CASE("inverted_residual: few or many hidden features, and other convolutions, stay outside") {
  const auto steps = [](int hidden, int dilation) {
    const Tensor expand_weight = random_tensor({hidden, 1, 1, 6}, 1);
    const Tensor depthwise_weight = random_tensor({hidden, 3, 3, 1}, 2);
    op::Conv2d expand;
    expand.outputs = hidden;
    const op::Conv2d depthwise{.kernel_h = 3,
                               .kernel_w = 3,
                               .padding_h = dilation,
                               .padding_w = dilation,
                               .dilation = dilation,
                               .groups = hidden,
                               .outputs = hidden};
    const Plan plan(
        [&](const std::vector<Tensor>& in) {
          const Tensor y = apply(expand, {apply(op::LayerNorm{}, {in[0]}), expand_weight});
          return std::vector<Tensor>{apply(depthwise, {y, depthwise_weight})};
        },
        {{1, 5, 5, 6}});
    return plan.graph().steps.size();
  };
  CHECK(steps(32, 1) == 1);
  CHECK(steps(1024, 1) == 1);
  CHECK(steps(31, 1) == 2);
  CHECK(steps(1025, 1) == 2);
  CHECK(steps(64, 2) == 2);
}

TEST_CASE("inverted_residual: halves in another order, or of another size, are not its gate") {
  const Case problem{{1, 4, 4, 8}, 64, 0, false};
  const Block block = block_of(problem);
  const std::vector<Tensor> in = inputs_of(problem);
  const auto steps = [&](int first, int second, int count) {
    const Plan plan(
        [&](const std::vector<Tensor>& inputs) {
          const Tensor y = apart(block, in, inputs[0], {});
          return std::vector<Tensor>{apply(op::Binary{BinaryKind::kMultiply},
                                           {apply(op::SliceChannels{first, count}, {y}),
                                            apply(op::SliceChannels{second, count}, {y})})};
        },
        {problem.x});
    return plan.graph().steps.size();
  };
  CHECK(steps(0, 32, 32) == 1);
  CHECK(steps(32, 0, 32) > 1);
  CHECK(steps(0, 32, 16) > 1);
}

TEST_CASE("inverted_residual: shapes and epilogues that do not fit are refused") {
  const Case problem{{1, 2, 2, 3}, 34, 5};
  const Block op = block_of(problem);
  const Shapes fits = shapes_of(inputs_of(problem));
  CHECK(op.shape(fits) == Shape{1, 2, 2, 5});
  Shapes wrong = fits;
  wrong[Block::kProjectWeight] = {5, 1, 1, 34};
  CHECK_THROWS_AS(op.shape(wrong), ShapeError);
  wrong = fits;
  wrong[Block::kGamma] = vector_shape(4);
  CHECK_THROWS_AS(op.shape(wrong), ShapeError);
  Block strange = op;
  strange.depthwise.activation = kRelu;  // before a gate
  CHECK_THROWS_AS(strange.shape(fits), ShapeError);
  strange = op;
  strange.depthwise.groups = 1;
  CHECK_THROWS_AS(strange.shape(fits), ShapeError);
}

TEST_CASE(
    "gate: every rung matches the reference, and a plan makes it of an activation and a product") {
  for (const Activation& activation :
       {Activation{}, kGelu, Activation{ActivationKind::kElu, 0.5f}}) {
    const op::Gate gate{activation};
    for (const Shape& shape : {Shape{1, 1, 1, 1}, {2, 3, 5, 7}, {1, 2, 3, 255}, {1, 1, 900, 16}}) {
      const std::vector<Tensor> in = {random_tensor(shape, 1), random_tensor(shape, 2)};
      check_rungs(gate_ladder(), gate, in,
                  [&](GateKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                    kernel(gate, inputs[0].view<const float>(), inputs[1].view<const float>(),
                           y.view<float>());
                  });
      const Network network = [&](const std::vector<Tensor>& inputs) {
        const Tensor opened = apply(op::Activate{activation}, {inputs[0]});
        return std::vector<Tensor>{apply(op::Binary{BinaryKind::kMultiply}, {inputs[1], opened})};
      };
      Plan plan(network, shapes_of(in));
      REQUIRE(plan.graph().steps.size() == 1);
      CHECK(plan.graph().steps[0].op.name() == "gate");
      CHECK(identical(plan(in).front(), network(in).front()));
    }
  }
  CHECK_THROWS_AS(op::Gate{}.shape({{1, 1, 1, 2}, {1, 1, 1, 1}}), ShapeError);
}

}  // namespace mend::test
