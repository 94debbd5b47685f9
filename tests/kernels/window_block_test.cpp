#include "kernels/window_block/window_block.h"

#include <doctest/doctest.h>

#include "engine/error.h"
#include "engine/plan.h"
#include "kernels/channels/channels.h"
#include "kernels/elementwise/elementwise.h"
#include "tests/kernels/check_narrow.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {
namespace {

struct Case {
  Shape x;
  op::WindowAttention attention;
  int outputs = 0;  // of the projection; 0: none
  bool has_bias = true, has_score_bias = true, has_gamma = true, has_residual = false;
  float scale = 1;
};

op::WindowAttention windows(int h, int w, int heads, int shift = 0,
                            WindowMask mask = WindowMask::kNone) {
  return {.window_h = h,
          .window_w = w,
          .shift_h = shift,
          .shift_w = shift,
          .heads = heads,
          .scale = 0.3f,
          .mask = mask};
}

const Case kAwkward[] = {
    {{1, 1, 1, 1}, windows(1, 1, 1), 1},
    {{1, 8, 8, 60}, windows(8, 8, 6), 60, true, true, true, true},
    {{2, 16, 24, 60}, windows(8, 8, 6, 4, WindowMask::kMinus100), 60, true, true, true, true},
    {{1, 14, 21, 14}, windows(7, 7, 2, 3, WindowMask::kMinusInfinity), 9, true, true, true, true},
    {{1, 16, 8, 180}, windows(8, 8, 6, 4), 180, true, true, true, true, -0.5f},
    {{1, 6, 10, 21}, windows(3, 5, 3, 1, WindowMask::kMinus100), 0},
    {{2, 8, 4, 3}, windows(4, 2, 1), 2, false, false, false},
    {{1, 8, 12, 32}, windows(4, 12, 1), 70, true, false},
};

op::WindowBlock op_of(const Case& problem) {
  op::WindowBlock op;
  op.qkv.outputs = 3 * problem.x.c;
  op.attention = problem.attention;
  if (problem.outputs == 0) return op;
  op.project.emplace();
  op.project->outputs = problem.outputs;
  op.project->scale = problem.scale;
  op.project->adds_residual = problem.has_residual;
  return op;
}

/// Weights of such a size that scores are of order 1.
std::vector<Tensor> inputs_of(const Case& problem) {
  const Shape& x = problem.x;
  const int C = x.c, K = problem.outputs, heads = problem.attention.heads;
  const int tokens = problem.attention.queries();
  const auto optional = [](bool there, const Shape& shape, int seed) {
    return there ? random_tensor(shape, seed) : Tensor();
  };
  return {random_tensor(x, 1),
          random_tensor({3 * C, 1, 1, C}, 2),
          optional(problem.has_bias, vector_shape(3 * C), 3),
          optional(problem.has_score_bias, {1, heads, tokens, tokens}, 4),
          optional(K > 0, {K, 1, 1, C}, 5),
          optional(K > 0 && problem.has_bias, vector_shape(K), 6),
          optional(problem.has_residual, {x.n, x.h, x.w, K}, 7),
          optional(problem.has_gamma, vector_shape(C), 8),
          optional(problem.has_gamma, vector_shape(C), 9)};
}

/// The same as single operations.
Tensor apart(const op::WindowBlock& op, const std::vector<Tensor>& in, const Tensor& x,
             const Tensor& residual) {
  const int C = x.shape().c;
  const Tensor normal = apply(op.norm, {x, in[op.kGamma], in[op.kBeta]});
  const Tensor qkv = apply(op.qkv, {normal, in[op.kQkvWeight], in[op.kQkvBias]});
  const auto third = [&](int i) { return apply(op::SliceChannels{i * C, C}, {qkv}); };
  std::vector<Tensor> operands = {third(0), third(1), third(2)};
  if (in[op.kBias].defined()) operands.push_back(in[op.kBias]);
  Tensor y = mend::apply(op.attention, operands);
  if (!op.project) return y;
  op::Conv2d project = *op.project;
  project.scale = 1;
  project.adds_residual = false;
  y = apply(project, {y, in[op.kProjection], in[op.kProjectionBias]});
  if (op.project->scale != 1) y = apply(op::Affine{op.project->scale, 0}, {y});
  if (op.project->adds_residual) y = apply(op::Binary{BinaryKind::kAdd}, {residual, y});
  return y;
}

}  // namespace

TEST_CASE("window_block: every rung matches the reference") {
  for (const Case& problem : kAwkward) {
    CAPTURE(problem.x);
    const op::WindowBlock op = op_of(problem);
    check_rungs(window_block_ladder(), op, inputs_of(problem),
                [&](const WindowBlockKernel& kernel, Inputs in, const Tensor& y, Scratch) {
                  for (const WindowBlockVariant& rung : window_block_ladder()) {
                    if (rung.kernel.run.f32 != kernel.run.f32) continue;
                    force_variant("window_block", std::string(rung.name.substr(13)));
                    op.forward(in, y, {});
                    clear_forced_variants();
                  }
                });
  }
}

TEST_CASE("window_block: narrow images give f32's numbers, rounded once") {
  for (const Case& problem : kAwkward) {
    CAPTURE(problem.x);
    const op::WindowBlock op = op_of(problem);
    const auto narrow = [&](DType type) {
      op::WindowBlock narrowed = op;
      narrowed.type = type;
      return narrowed;
    };
    force_variant("window_block", "panels");
    check_narrow(op, narrow, inputs_of(problem), 1u << op.kX | 1u << op.kResidual);
    clear_forced_variants();
  }
}

TEST_CASE("window_block: a plan makes it of a norm, qkv, three slices, attention and projection") {
  for (const Case& problem : kAwkward) {
    CAPTURE(problem.x);
    const op::WindowBlock whole = op_of(problem);
    const std::vector<Tensor> in = inputs_of(problem);
    const Network network = [&](const std::vector<Tensor>& inputs) {
      return std::vector<Tensor>{apart(whole, in, inputs.front(), inputs.back())};
    };
    std::vector<Tensor> inputs = {in[0]};
    Shapes shapes = {in[0].shape()};
    if (problem.has_residual) {
      inputs.push_back(in[whole.kResidual]);
      shapes.push_back(inputs.back().shape());
    }
    Plan plan(network, shapes);
    REQUIRE(plan.graph().steps.size() == 1);
    CHECK(plan.graph().steps[0].op.name() == "window_block");
    plan.poison();
    const Tensor planned = plan(inputs).front();
    // Both sides round, and each instruction set in its own way.
    CHECK(relative_error(planned, network(inputs).front()) <= 4e-6);
    CHECK(identical(planned, mend::apply(whole, in)));
  }
}

TEST_CASE("window_block: other slices, larger windows or keys from elsewhere stay apart") {
  constexpr int kC = 4;
  const Tensor weight = random_tensor({3 * kC, 1, 1, kC}, 1);
  op::Conv2d qkv;
  qkv.outputs = 3 * kC;
  const auto steps = [&](const op::WindowAttention& attention, const std::array<int, 3>& first,
                         bool foreign_keys) {
    const Plan plan(
        [&](const std::vector<Tensor>& in) {
          const Tensor all = apply(qkv, {apply(op::LayerNorm{}, {in[0]}), weight});
          const auto slice = [&](int i) { return apply(op::SliceChannels{first[i], kC}, {all}); };
          const Tensor q = slice(0), k = foreign_keys ? in[0] : slice(1), v = slice(2);
          return std::vector<Tensor>{apply(attention, {q, k, v})};
        },
        {{1, 16, 16, kC}});
    return plan.graph().steps.size();
  };
  CHECK(steps(windows(8, 8, 2), {0, kC, 2 * kC}, false) == 1);
  CHECK(steps(windows(8, 8, 2), {kC, 0, 2 * kC}, false) == 5);
  CHECK(steps(windows(8, 8, 2), {0, kC, 2 * kC}, true) == 4);
  CHECK(steps(windows(16, 16, 2), {0, kC, 2 * kC}, false) == 5);
  op::WindowAttention overlapping = windows(4, 4, 2);
  overlapping.kv_window_h = overlapping.kv_window_w = 8;
  CHECK(steps(overlapping, {0, kC, 2 * kC}, false) == 5);
  force_variant("window_attention", "reference");
  CHECK(steps(windows(8, 8, 2), {0, kC, 2 * kC}, false) == 5);
  clear_forced_variants();
}

TEST_CASE("window_block: shapes and epilogues that do not fit are refused") {
  const Case problem{{1, 8, 8, 6}, windows(4, 4, 2), 5};
  const op::WindowBlock op = op_of(problem);
  const Shapes fits = shapes_of(inputs_of(problem));
  CHECK(op.shape(fits) == Shape{1, 8, 8, 5});
  Shapes wrong = fits;
  wrong[op::WindowBlock::kX] = {1, 8, 9, 6};
  CHECK_THROWS_AS(op.shape(wrong), ShapeError);
  wrong = fits;
  wrong[op::WindowBlock::kProjection] = {5, 1, 1, 7};
  CHECK_THROWS_AS(op.shape(wrong), ShapeError);
  wrong = fits;
  wrong[op::WindowBlock::kBias] = {1, 2, 16, 17};
  CHECK_THROWS_AS(op.shape(wrong), ShapeError);
  op::WindowBlock strange = op;
  strange.qkv.outputs = 17;
  CHECK_THROWS_AS(strange.shape(fits), ShapeError);
  strange = op;
  strange.project->activation = {ActivationKind::kRelu};
  CHECK_THROWS_AS(strange.shape(fits), ShapeError);
}

}  // namespace mend::test
