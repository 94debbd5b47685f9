#include "kernels/conv2d/conv2d.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "engine/parallel.h"
#include "engine/plan.h"
#include "kernels/conv2d/scale_filters.h"
#include "kernels/conv2d/variant.h"
#include "kernels/elementwise/elementwise.h"
#include "tests/kernels/check_narrow.h"
#include "tests/kernels/conv2d_cases.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

/// Numbers in [-bound, bound).
Tensor scaled_random(const Shape& shape, std::uint64_t seed, float bound) {
  return apply(op::Affine{bound}, {random_tensor(shape, seed)});
}

/// The same pixels as channels of a wider tensor: evenly spaced, but not dense, and unaligned.
Tensor as_slice(const Tensor& pixels) {
  const Shape s = pixels.shape();
  const Tensor slice = Tensor::full({s.n, s.h, s.w, s.c + 4}, 0.0f).channels(1, s.c);
  const View<const float> from = pixels.view<const float>();
  for (int n = 0; n < s.n; ++n)
    for (int h = 0; h < s.h; ++h)
      for (int w = 0; w < s.w; ++w) {
        std::copy_n(from.pixel(n, h, w), s.c, slice.view<float>().pixel(n, h, w));
      }
  return slice;
}

/// The inputs of a case, dense, and what the reference makes of them.
struct Problem {
  explicit Problem(const ConvCase& c) : op(c.op) {
    const int taps = op.kernel_h * op.kernel_w * (c.x.c / op.groups);
    const float bound = 1.5f / std::sqrt(static_cast<float>(taps));
    inputs.resize(op::Conv2d::kSlots);
    inputs[op::Conv2d::kX] = random_tensor(c.x, 1);
    inputs[op::Conv2d::kWeight] =
        scaled_random({op.outputs, op.kernel_h, op.kernel_w, c.x.c / op.groups}, 2, bound);
    if (c.has_bias) inputs[op::Conv2d::kBias] = random_tensor(vector_shape(op.outputs), 3);
    if (op.activation.kind == ActivationKind::kPrelu) {
      inputs[op::Conv2d::kSlope] = random_tensor(vector_shape(op.outputs), 4);
    }
    const Shape y = op.shape(shapes_of(inputs));
    if (c.has_residual) inputs[op::Conv2d::kResidual] = random_tensor(y, 5);
    expected = Tensor::empty(y);
    run(conv2d_ladder().front(), inputs, expected);
  }

  bool fits(const Conv2dVariant& rung) const { return rung.refuses(op, shapes_of(inputs)).empty(); }

  /// By `rung`, with NaN in the scratch memory.
  void run(const Conv2dVariant& rung, std::vector<Tensor> operands, const Tensor& y) const {
    op::Conv2d fixed = op;
    fixed.variant = &rung;
    Tensor& weight = operands[op::Conv2d::kWeight];
    if (rung.kernel.pack != nullptr) weight = apply(op::PackConv2dWeight{fixed}, {weight});
    const std::int64_t bytes = fixed.scratch_bytes(shapes_of(operands));
    const Storage scratch(static_cast<std::size_t>(bytes) + 1, cpu());
    cpu().fill(scratch.data(), 0xFF, scratch.bytes());
    fixed.forward(operands, y, {scratch.data(), static_cast<std::size_t>(bytes)});
  }

  /// x and the residual as channel slices, y as a slice with margins that nobody may touch.
  Guarded run_on_slices(const Conv2dVariant& rung, bool margins_around_x) const {
    std::vector<Tensor> operands = inputs;
    const Guarded x(inputs[op::Conv2d::kX]);
    operands[op::Conv2d::kX] = margins_around_x ? x.tensor() : as_slice(inputs[op::Conv2d::kX]);
    if (Tensor& residual = operands[op::Conv2d::kResidual]) residual = as_slice(residual);
    Guarded y(expected.shape());
    run(rung, operands, y.tensor());
    return y;
  }

  Tensor run_dense(const Conv2dVariant& rung) const {
    const Tensor y = Tensor::full(expected.shape(), std::numeric_limits<float>::quiet_NaN());
    run(rung, inputs, y);
    return y;
  }

  op::Conv2d op;
  std::vector<Tensor> inputs;
  Tensor expected;
};

}  // namespace

TEST_CASE("conv2d: equals the official implementation") {
  const char* kFixtures[] = {
      "depthwise",    "depthwise_k7", "depthwise_mult2", "dil2",       "dil4",
      "groups2",      "k1",           "k17_p8",          "k1x3",       "k2_s2",
      "k3_p0",        "k3_s1_p1",     "k3_s2_p1",        "k4_s2_p1",   "k4_s4",
      "k5_p2",        "k7_p3",        "reflect_k3",      "reflect_k7", "reflect_s2",
      "replicate_k3", "s2_p0_k3",     "wide_ch"};
  for (const std::string fixture : kFixtures) {
    const std::string path = shared_path("goldens/ops/conv2d__" + fixture + ".safetensors");
    if (!require_data(path)) return;
    CAPTURE(fixture);
    const Golden golden = load_golden(path);
    const auto params = nlohmann::json::parse(golden.metadata.at("params"));
    const Tensor weight = to_tensor(golden.weights.tensors.at("weight"));
    const bool has_bias = golden.weights.tensors.contains("bias");
    op::Conv2d op;
    op.outputs = weight.shape().n;
    op.kernel_h = weight.shape().h;
    op.kernel_w = weight.shape().w;
    op.stride = params.at("stride");
    op.dilation = params.at("dilation");
    op.groups = params.at("groups");
    const auto& padding = params.at("padding");
    op.padding_h = padding.is_array() ? padding[0].get<int>() : padding.get<int>();
    op.padding_w = padding.is_array() ? padding[1].get<int>() : padding.get<int>();
    const std::string mode = params.at("padding_mode");
    op.padding_mode = mode == "reflect"     ? PaddingMode::kReflect
                      : mode == "replicate" ? PaddingMode::kReplicate
                                            : PaddingMode::kZeros;
    const Tensor bias = has_bias ? to_tensor(golden.weights.tensors.at("bias")) : Tensor();
    const Tensor y = apply(op, {golden.at("input"), weight, bias});
    CHECK(relative_error(y, golden.at("output")) <= 1e-5);
  }
}

TEST_CASE("conv2d: every rung matches the reference on every instruction set") {
  const std::vector<ConvCase> cases = awkward_convolutions();
  const std::vector<Problem> problems(cases.begin(), cases.end());
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    for (const auto& rung : conv2d_ladder()) {
      if (rung.device != DeviceKind::kCpu) continue;  // tests/gpu tries the others
      CAPTURE(rung.name);
      int tried = 0;
      for (std::size_t i = 0; i < cases.size(); ++i) {
        CAPTURE(cases[i]);
        const Problem& problem = problems[i];
        if (!problem.fits(rung)) continue;
        const double bound = rung.error_within;
        const Tensor dense = problem.run_dense(rung);
        CHECK(relative_error(dense, problem.expected) <= bound);
        for (const bool margins_around_x : {false, true}) {
          const Guarded y = problem.run_on_slices(rung, margins_around_x);
          CHECK(relative_error(y.tensor(), problem.expected) <= bound);
          CHECK(identical(y.tensor(), dense));
          CHECK(y.intact());
        }
        ++tried;
      }
      CHECK_MESSAGE(tried > 0, rung.name << " was never tried");
    }
  });
}

TEST_CASE("conv2d: rungs that take narrow images give f32's numbers, rounded once") {
  const std::vector<ConvCase> cases = awkward_convolutions();
  int tried = 0;
  for (const auto& rung : conv2d_ladder()) {
    if (rung.device != DeviceKind::kCpu || !rung.kernel.runs_narrow()) continue;
    CAPTURE(rung.name);
    for (const ConvCase& c : cases) {
      CAPTURE(c);
      const Problem problem(c);
      if (!problem.fits(rung)) continue;
      op::Conv2d wide = problem.op;
      wide.variant = &rung;
      std::vector<Tensor> inputs = problem.inputs;
      Tensor& weight = inputs[op::Conv2d::kWeight];
      weight = apply(op::PackConv2dWeight{wide}, {weight});
      check_narrow(
          wide,
          [&](DType type) {
            return AnyOp(wide).narrow(shapes_of(inputs), type, DeviceKind::kCpu).value().op;
          },
          inputs, 1u << op::Conv2d::kX | 1u << op::Conv2d::kResidual);
      ++tried;
    }
  }
  CHECK(tried >= 8);
}

TEST_CASE("conv2d: one and two threads give the same bits") {
  for (const ConvCase& c : awkward_convolutions()) {
    CAPTURE(c);
    const Problem problem(c);
    for (const auto& rung : conv2d_ladder()) {
      CAPTURE(rung.name);
      if (rung.device != DeviceKind::kCpu || !problem.fits(rung)) continue;
      Tensor first;
      on_one_and_two_threads([&](int) {
        const Tensor y = problem.run_dense(rung);
        if (first) CHECK(identical(y, first));
        first = y;
      });
    }
  }
}

TEST_CASE("conv2d/direct: a tile of the image gives the bits of the whole image") {
  force_variant("conv2d", "direct");
  for (const int outputs : {3, 20, 64}) {
    CAPTURE(outputs);
    op::Conv2d op = conv(3, outputs, 1);
    const Tensor x = random_tensor({1, 20, 47, 19}, 1);
    const Tensor weight = random_tensor({outputs, 3, 3, 19}, 2);
    const Tensor whole = apply(op, {x, weight});
    for (const int width : {3, 8, 13, 30}) {
      CAPTURE(width);
      const Tensor tile = apply(op, {x.crop(4, 9, 10, width + 2), weight});
      CHECK(identical(tile.crop(1, 1, 8, width), whole.crop(5, 10, 8, width)));
    }
  }
  clear_forced_variants();
}

TEST_CASE("conv2d: footprints of known layers") {
  const auto footprint = [](const op::Conv2d& op) { return op.footprint({}); };
  CHECK(footprint(conv(3, 1, 1)) == Footprint{1, 1, 1, false});
  CHECK(footprint(conv(1, 1)) == Footprint{0, 1, 1, false});
  CHECK(footprint(conv(3, 1, 2, 1, 2)) == Footprint{2, 1, 1, false});
  CHECK(footprint(conv(3, 1, 1, 2)) == Footprint{1, 0.5, 2, false});
  CHECK(footprint(conv(2, 1, 0, 2)) == Footprint{0, 0.5, 2, false});
  CHECK(footprint(conv(3, 1, 0)) == Footprint{2, 1, 1, false});
  CHECK(footprint(oblong(1, 9, 0, 4, 1)) == Footprint{4, 1, 1, false});
}

TEST_CASE("conv2d: costs of known layers, packed or not") {
  op::Conv2d op = conv(3, 64, 1);
  const Shapes in = {{1, 256, 256, 64}, {64, 3, 3, 64}, vector_shape(64)};
  CHECK(op.cost(in).flops == 2.0 * 65536 * 64 * 64 * 9);
  CHECK(op.cost(in).bytes == 4.0 * (2 * 65536 * 64 + 64 * 64 * 9 + 64));
  op.variant = &conv2d_ladder()[1];
  const Shapes packed = {in[0], op::PackConv2dWeight{op}.shape({in[1]}), in[2]};
  CHECK(op.shape(packed) == Shape{1, 256, 256, 64});
  CHECK(op.cost(packed).flops == op.cost(in).flops);
}

TEST_CASE("conv2d: what does not fit is refused with both sides") {
  const op::Conv2d op = conv(3, 64, 1);
  const auto shape = [](const op::Conv2d& o, const Shapes& in) { return o.shape(in); };
  CHECK_THROWS_WITH_AS(shape(op, {{1, 128, 128, 4}, {64, 3, 3, 3}}),
                       "conv2d: weight [64,3,3,3] takes 3 channels, but x is [1,128,128,4]",
                       ShapeError);
  CHECK_THROWS_WITH_AS(
      shape(op, {{1, 8, 8, 3}, {32, 3, 3, 3}}),
      "conv2d: weight is [32,3,3,3], but 64 outputs and a 3x3 kernel need [64,3,3,3]", ShapeError);
  CHECK_THROWS_WITH_AS(shape(op, {{1, 8, 8, 3}, {64, 3, 3, 3}, vector_shape(3)}),
                       "conv2d: bias is [1,1,1,3], but there are 64 outputs", ShapeError);
  CHECK_THROWS_AS(shape(conv(3, 64, 1, 1, 1, 5), {{1, 8, 8, 6}, {64, 3, 3, 3}}), ShapeError);
  CHECK_THROWS_AS(shape(conv(5, 64), {{1, 4, 4, 3}, {64, 5, 5, 3}}), ShapeError);
  CHECK_THROWS_AS(
      shape(conv(9, 1, 4, 1, 1, 1, PaddingMode::kReflect), {{1, 4, 9, 1}, {1, 9, 9, 1}}),
      ShapeError);
  CHECK_THROWS_AS(shape(conv(3, 64, 1, 0), {{1, 8, 8, 3}, {64, 3, 3, 3}}), ShapeError);
}

TEST_CASE("conv2d: the plan absorbs activation, factor and sum, and gives eager's numbers") {
  const op::Conv2d op = conv(3, 16, 1);
  const Tensor weight = scaled_random({16, 3, 3, 16}, 1, 0.2f),
               slope = random_tensor(vector_shape(16), 2);
  const auto layer = [&](const Tensor& x) { return apply(op, {x, weight}); };
  const auto sum = [](BinaryKind kind, const Tensor& a, const Tensor& b) {
    return apply(op::Binary{kind}, {a, b});
  };
  struct Example {
    const char* name;
    Network network;
    std::size_t steps;
  };
  const Example examples[] = {
      {"prelu(conv)",
       [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
         return {apply(op::Activate{{ActivationKind::kPrelu}}, {layer(in[0]), slope})};
       },
       1},
      {"x + 0.2·conv",
       [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
         return {sum(BinaryKind::kAdd, in[0], apply(op::Affine{0.2f}, {layer(in[0])}))};
       },
       1},
      {"0.2·silu(conv) + x",
       [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
         const Tensor z = apply(op::Activate{{ActivationKind::kSilu}}, {layer(in[0])});
         return {sum(BinaryKind::kAdd, apply(op::Affine{0.2f}, {z}), in[0])};
       },
       1},
      {"x - conv",
       [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
         return {sum(BinaryKind::kSubtract, in[0], layer(in[0]))};
       },
       1},
      {"conv - x",
       [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
         return {sum(BinaryKind::kSubtract, layer(in[0]), in[0])};
       },
       2},
      {"relu(conv + x)",
       [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
         return {apply(op::Activate{{ActivationKind::kRelu}},
                       {sum(BinaryKind::kAdd, layer(in[0]), in[0])})};
       },
       2},
  };
  const Tensor x = random_tensor({1, 9, 14, 16}, 3);
  for (const Example& example : examples) {
    CAPTURE(example.name);
    Plan plan(example.network, {x.shape()});
    plan.poison();
    CHECK(plan.graph().steps.size() == example.steps);
    CHECK(relative_error(plan({x})[0], example.network({x})[0]) <= 1e-6);
  }
}

TEST_CASE("conv2d: the plan folds factors of its outputs into its weight and bias") {
  const op::Conv2d op = conv(3, 16, 1);
  const Tensor weight = scaled_random({16, 3, 3, 16}, 1, 0.2f);
  const Tensor bias = random_tensor(vector_shape(16), 2),
               factor = random_tensor(vector_shape(16), 3);
  const auto product = [](const Tensor& a, const Tensor& b) {
    return apply(op::Binary{BinaryKind::kMultiply}, {a, b});
  };
  struct Example {
    const char* name;
    Network network;
    std::size_t steps;
  };
  const Example examples[] = {
      {"x + factor·conv",
       [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
         const Tensor z = product(apply(op, {in[0], weight, bias}), factor);
         return {apply(op::Binary{BinaryKind::kAdd}, {in[0], z})};
       },
       1},
      {"relu(factor·(factor·conv)), without a bias",
       [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
         const Tensor z = product(factor, product(factor, apply(op, {in[0], weight})));
         return {apply(op::Activate{{ActivationKind::kRelu}}, {z})};
       },
       1},
      {"factor·relu(conv)",
       [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
         const Tensor z =
             apply(op::Activate{{ActivationKind::kRelu}}, {apply(op, {in[0], weight})});
         return {product(z, factor)};
       },
       2},
      {"conv, which is read twice",
       [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
         const Tensor z = apply(op, {in[0], weight, bias});
         return {product(z, factor), z};
       },
       2},
      {"conv times an image",
       [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
         return {product(apply(op, {in[0], weight, bias}), in[0])};
       },
       2},
  };
  const Tensor x = random_tensor({1, 9, 14, 16}, 4);
  for (const Example& example : examples) {
    CAPTURE(example.name);
    Plan plan(example.network, {x.shape()});
    plan.poison();
    CHECK(plan.graph().steps.size() == example.steps);
    CHECK(relative_error(plan({x})[0], example.network({x})[0]) <= 1e-6);
  }
  CHECK_THROWS_AS(op::ScaleFilters{}.shape({{16, 3, 3, 16}, vector_shape(3)}), ShapeError);
}

}  // namespace mend::test
