#include "kernels/conv_transpose2d/conv_transpose2d.h"

#include <doctest/doctest.h>

#include <cmath>
#include <ostream>
#include <string>
#include <vector>

#include "engine/plan.h"
#include "kernels/conv_transpose2d/variant.h"
#include "kernels/elementwise/elementwise.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

using Op = op::ConvTranspose2d;

/// PyTorch's [C, K/groups, R, S] weight, seen as {C, R, S, K/groups}, as ours: [K, R, S, C/groups].
Tensor from_official(const Tensor& weight, int groups) {
  const auto [C, R, S, K] = weight.shape();
  const int of_group = C / groups;
  const Tensor ours = Tensor::empty({K * groups, R, S, of_group});
  const View<const float> from = weight.view<const float>();
  const View<float> to = ours.view<float>();
  for (int k = 0; k < K * groups; ++k)
    for (int r = 0; r < R; ++r)
      for (int s = 0; s < S; ++s)
        for (int c = 0; c < of_group; ++c) {
          to(k, r, s, c) = from(k / K * of_group + c, r, s, k % K);
        }
  return ours;
}

struct Case {
  const char* name;
  Shape x;
  Shape weight;
  Op op;

  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }
};

// clang-format off
const Case kAwkward[] = {
    {"one pixel",               {1, 1, 1, 1},   {1, 2, 2, 1},   {.stride = 2}},
    {"2x2, stride 2",           {2, 5, 9, 6},   {18, 2, 2, 6},  {.stride = 2}},
    {"4x4, stride 2",           {1, 5, 19, 7},  {20, 4, 4, 7},  {.stride = 2, .padding = 1}},
    {"3x3, stride 2, padded",   {1, 6, 14, 20}, {70, 3, 3, 20}, {.stride = 2, .padding = 1, .output_padding = 1}},
    {"9x9, stride 4, to gray",  {1, 6, 9, 12},  {1, 9, 9, 12},  {.stride = 4, .padding = 4, .output_padding = 3}},
    {"5x5, stride 3",           {1, 4, 30, 3},  {4, 5, 5, 3},   {.stride = 3, .padding = 1}},
    {"stride 1",                {1, 7, 11, 5},  {16, 3, 3, 5},  {.stride = 1, .padding = 1}},
    {"kernel below stride",     {1, 4, 9, 3},   {5, 2, 2, 3},   {.stride = 3}},
    {"kernel 1, stride 2",      {1, 4, 9, 3},   {5, 1, 1, 3},   {.stride = 2, .output_padding = 1}},
    {"wide padding",            {1, 6, 8, 4},   {9, 7, 7, 4},   {.stride = 2, .padding = 5}},
    {"oblong kernel",           {1, 6, 8, 4},   {9, 2, 6, 4},   {.stride = 2, .padding = 1}},
    {"2 groups",                {1, 5, 9, 6},   {8, 4, 4, 3},   {.stride = 2, .padding = 1, .groups = 2}},
    {"depthwise",               {1, 5, 9, 6},   {6, 4, 4, 1},   {.stride = 2, .padding = 1, .groups = 6}},
    {"leaky",                   {1, 5, 9, 6},   {7, 4, 4, 6},   {.stride = 2, .activation = {ActivationKind::kLeakyRelu, 0.1f}}},
    {"prelu",                   {1, 5, 9, 6},   {7, 4, 4, 6},   {.stride = 2, .activation = {ActivationKind::kPrelu}}},
};
// clang-format on

std::vector<Tensor> inputs_of(const Case& c) {
  const float bound = 1.5f / std::sqrt(static_cast<float>(c.weight.c * 4));
  std::vector<Tensor> inputs = {random_tensor(c.x, 1),
                                apply(op::Affine{bound}, {random_tensor(c.weight, 2)}),
                                random_tensor(vector_shape(c.weight.n), 3),
                                {}};
  if (c.op.activation.kind == ActivationKind::kPrelu) {
    inputs[Op::kSlope] = random_tensor(vector_shape(c.weight.n), 4);
  }
  return inputs;
}

/// By `rung`, with NaN in the scratch memory.
void run(const ConvTranspose2dVariant& rung, const Case& c, std::vector<Tensor> inputs,
         const Tensor& y) {
  Op fixed = c.op;
  fixed.variant = &rung;
  fixed.kernel_h = c.weight.h;
  fixed.kernel_w = c.weight.w;
  fixed.outputs = c.weight.n;
  Tensor& weight = inputs[Op::kWeight];
  if (rung.kernel.pack != nullptr) weight = apply(op::PackConvTranspose2dWeight{fixed}, {weight});
  const std::int64_t bytes = fixed.scratch_bytes(shapes_of(inputs));
  const Storage scratch(static_cast<std::size_t>(bytes) + 1, cpu());
  cpu().fill(scratch.data(), 0xFF, scratch.bytes());
  fixed.forward(inputs, y, {scratch.data(), static_cast<std::size_t>(bytes)});
}

}  // namespace

TEST_CASE("conv_transpose2d: equals the official implementation") {
  for (const std::string fixture : {"k2_s2", "k3_s1_p1", "k3_s2_p1_op1", "k4_s2_p1",
                                    "k4_s2_p1_depthwise", "k5_s3_p1", "k9_s4_p4_op3"}) {
    const std::string path =
        shared_path("goldens/ops/conv_transpose2d__" + fixture + ".safetensors");
    if (!require_data(path)) return;
    CAPTURE(fixture);
    const Golden golden = load_golden(path);
    const auto params = nlohmann::json::parse(golden.metadata.at("params"));
    Op op;
    op.stride = params.at("stride");
    op.padding = params.at("padding");
    op.output_padding = params.at("output_padding");
    op.groups = params.at("groups");
    const Tensor weight = from_official(to_tensor(golden.weights.tensors.at("weight")), op.groups);
    const Tensor bias = to_tensor(golden.weights.tensors.at("bias"));
    CHECK(relative_error(apply(op, {golden.at("input"), weight, bias}), golden.at("output")) <=
          1e-6);
  }
}

TEST_CASE("conv_transpose2d: every rung matches the reference on every instruction set") {
  for (const Case& c : kAwkward) {
    CAPTURE(c);
    const std::vector<Tensor> inputs = inputs_of(c);
    const Tensor expected = Tensor::empty(c.op.shape(shapes_of(inputs)));
    run(conv_transpose2d_ladder().front(), c, inputs, expected);
    for (const auto& rung : conv_transpose2d_ladder()) {
      CAPTURE(rung.name);
      if (rung.device != DeviceKind::kCpu) continue;  // tests/gpu tries the others
      on_every_instruction_set([&](const std::string& target) {
        CAPTURE(target);
        Tensor first;
        on_one_and_two_threads([&](int) {
          std::vector<Tensor> slices = inputs;
          const Guarded x(inputs[Op::kX]), y(expected.shape());
          slices[Op::kX] = x.tensor();
          run(rung, c, slices, y.tensor());
          CHECK(relative_error(y.tensor(), expected) <= rung.error_within);
          CHECK(y.intact());
          if (first) CHECK(identical(y.tensor(), first));
          first = y.tensor().clone();
        });
      });
    }
  }
}

TEST_CASE("conv_transpose2d: footprints and costs of known layers") {
  const auto footprint = [](const Op& op, int kernel) {
    return op.footprint({{1, 8, 8, 1}, {1, kernel, kernel, 1}});
  };
  CHECK(footprint({.stride = 2}, 2) == Footprint{0, 2, 1, false});
  CHECK(footprint({.stride = 2, .padding = 1}, 4) == Footprint{1, 2, 1, false});
  CHECK(footprint({.stride = 1, .padding = 1}, 3) == Footprint{1, 1, 1, false});
  CHECK(footprint({.stride = 4, .padding = 4, .output_padding = 3}, 9) ==
        Footprint{1, 4, 1, false});
  const Op op = {.stride = 2, .padding = 1};
  CHECK(op.cost({{1, 10, 20, 56}, {3, 4, 4, 56}}).flops == 2.0 * 200 * 56 * 3 * 16);
}

TEST_CASE("conv_transpose2d: what does not fit is refused with both sides") {
  const auto shape = [](const Op& op, const Shapes& in) { return op.shape(in); };
  CHECK_THROWS_WITH_AS(shape({.stride = 2}, {{1, 8, 8, 4}, {6, 2, 2, 3}}),
                       "conv_transpose2d: weight [6,2,2,3] takes 3 channels, but x is [1,8,8,4]",
                       ShapeError);
  CHECK_THROWS_AS(shape({.stride = 2, .output_padding = 2}, {{1, 8, 8, 3}, {6, 2, 2, 3}}),
                  ShapeError);
  CHECK_THROWS_AS(shape({.stride = 1, .padding = 9}, {{1, 8, 8, 3}, {6, 2, 2, 3}}), ShapeError);
  CHECK_THROWS_AS(shape({.stride = 2, .groups = 2}, {{1, 8, 8, 3}, {6, 2, 2, 3}}), ShapeError);
}

TEST_CASE("conv_transpose2d: the plan absorbs a PReLU and gives eager's numbers") {
  const Tensor weight = random_tensor({5, 4, 4, 8}, 1), slope = random_tensor(vector_shape(5), 2);
  const Network network = [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
    const Tensor z = apply(Op{.stride = 2, .padding = 1}, {in[0], weight});
    return {apply(op::Activate{{ActivationKind::kPrelu}}, {z, slope})};
  };
  const Tensor x = random_tensor({1, 7, 9, 8}, 3);
  Plan plan(network, {x.shape()});
  plan.poison();
  CHECK(plan.graph().steps.size() == 1);
  CHECK(relative_error(plan({x})[0], network({x})[0]) <= 1e-6);
}

}  // namespace mend::test
