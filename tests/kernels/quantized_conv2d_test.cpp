#include "kernels/quantized_conv2d/quantized_conv2d.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "engine/calibration.h"
#include "engine/parallel.h"
#include "engine/plan.h"
#include "engine/quantization.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/quantize/quantize.h"
#include "kernels/quantized_conv2d/variant.h"
#include "tests/kernels/quantized_numbers.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {
namespace {

using Op = op::QuantizedConv2d;

struct Case {
  const char* name;
  Shape x;
  int outputs;
  int padding = 1;
  PaddingMode mode = PaddingMode::kZeros;
  Activation activation = {};
  float scale = 1;
  bool has_residual = false;

  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }
};

std::vector<Case> awkward_cases() {
  // clang-format off
  return {
      {"one pixel",            {1, 1, 1, 16},   16},
      {"width 7",              {1, 5, 7, 16},   64},
      {"64 -> 64",             {1, 13, 19, 64}, 64},
      {"64 -> 48",             {1, 4, 26, 64},  48},
      {"last layer 64 -> 3",   {1, 9, 31, 64},  3},
      {"odd channels",         {1, 6, 13, 127}, 33},
      {"17 -> 100",            {1, 8, 14, 17},  100},
      {"three channels",       {1, 7, 12, 3},   5},
      {"batch of 3",           {3, 4, 9, 18},   7},
      {"no padding",           {1, 8, 17, 20},  12, 0},
      {"wide padding",         {1, 4, 5, 16},   12, 4},
      {"reflect",              {1, 6, 17, 24},  17, 1, PaddingMode::kReflect},
      {"replicate",            {1, 6, 17, 24},  17, 1, PaddingMode::kReplicate},
      {"relu",                 {1, 7, 9, 32},   21, 1, PaddingMode::kZeros, {ActivationKind::kRelu}},
      {"prelu",                {1, 7, 9, 32},   21, 1, PaddingMode::kZeros, {ActivationKind::kPrelu}},
      {"gelu",                 {1, 7, 9, 32},   21, 1, PaddingMode::kZeros, {ActivationKind::kGelu}},
      {"all of the epilogue",  {1, 7, 9, 32},   37, 1, PaddingMode::kZeros,
       {ActivationKind::kLeakyRelu, 0.2f}, 0.3f, true},
  };
  // clang-format on
}

struct Problem {
  explicit Problem(const Case& c) : inputs(Op::kSlots) {
    op.conv.kernel_h = op.conv.kernel_w = 3;
    op.conv.outputs = c.outputs;
    op.conv.padding_h = op.conv.padding_w = c.padding;
    op.conv.padding_mode = c.mode;
    op.conv.activation = c.activation;
    op.conv.scale = c.scale;
    op.conv.adds_residual = c.has_residual;
    const float bound = 1.5f / std::sqrt(9.0f * static_cast<float>(c.x.c));
    inputs[Op::kX] = random_codes(c.x, 1);
    inputs[Op::kWeight] = apply(op::Affine{bound}, {random_tensor({c.outputs, 3, 3, c.x.c}, 2)});
    inputs[Op::kBias] = random_tensor(vector_shape(c.outputs), 3);
    if (c.activation.kind == ActivationKind::kPrelu) {
      inputs[Op::kSlope] = random_tensor(vector_shape(c.outputs), 4);
    }
    inputs[Op::kCodeX] = code_of(c.x.c, 1.7f);
    inputs[Op::kCodeY] = code_of(c.outputs, 3.0f);
    if (c.has_residual) {
      inputs[Op::kResidual] = random_tensor(op.conv.shape({c.x, inputs[Op::kWeight].shape()}), 5);
    }
  }

  /// By `rung`, with NaN in the scratch memory.
  Tensor run(const QuantizedConv2dVariant& rung, bool quantizes_output) const {
    Op fixed = op;
    fixed.variant = &rung;
    fixed.quantizes_output = quantizes_output;
    std::vector<Tensor> operands = inputs;
    if (rung.kernel.pack != nullptr) {
      operands[Op::kWeight] =
          apply(op::PackQuantizedConv2dWeight{fixed}, {inputs[Op::kWeight], inputs[Op::kCodeX]});
    }
    const Shapes in = shapes_of(operands);
    const std::int64_t bytes = fixed.scratch_bytes(in);
    const Storage scratch(static_cast<std::size_t>(bytes) + 1, cpu());
    cpu().fill(scratch.data(), 0xFF, scratch.bytes());
    const Tensor y = Tensor::empty(fixed.shape(in), fixed.dtype());
    cpu().fill(y.storage()->data(), 0xFF, y.storage()->bytes());
    fixed.forward(operands, y, {scratch.data(), static_cast<std::size_t>(bytes)});
    return y;
  }

  bool fits(const QuantizedConv2dVariant& rung) const {
    return rung.refuses(op, shapes_of(inputs)).empty();
  }

  Op op;
  std::vector<Tensor> inputs;
};

/// How many steps of 8 bits the results are apart at most.
int most_steps(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  int most = 0;
  for (std::int64_t i = 0; i < a.shape().elements(); ++i) {
    most = std::max(
        most, std::abs(a.view<const std::int8_t>().data[i] - b.view<const std::int8_t>().data[i]));
  }
  return most;
}

bool same_bytes(const Tensor& a, const Tensor& b) { return most_steps(a, b) == 0; }

}  // namespace

TEST_CASE("quantized_conv2d: every rung matches the reference on every instruction set") {
  for (const Case& c : awkward_cases()) {
    CAPTURE(c);
    const Problem problem(c);
    const auto& reference = quantized_conv2d_ladder().front();
    const Tensor expected = problem.run(reference, false);
    const Tensor expected_codes = problem.run(reference, true);
    for (const auto& rung : quantized_conv2d_ladder()) {
      CAPTURE(rung.name);
      REQUIRE(problem.fits(rung));
      on_every_instruction_set([&](const std::string& target) {
        CAPTURE(target);
        const Tensor y = problem.run(rung, false), codes = problem.run(rung, true);
        CHECK(relative_error(y, expected) <= rung.error_within);
        // As far from the reference's codes as f32 is, and one step more for rounding.
        const Quantization code = quantization(problem.inputs[Op::kCodeY].view<const float>());
        int too_far = 0;
        for (std::int64_t i = 0; i < y.shape().elements(); ++i) {
          const float error =
              std::abs(y.view<const float>().data[i] - expected.view<const float>().data[i]);
          const int steps = std::abs(codes.view<const std::int8_t>().data[i] -
                                     expected_codes.view<const std::int8_t>().data[i]);
          const float scale = code.scale[i % y.shape().c];
          too_far += static_cast<float>(steps) > error / scale + 1.001f;
        }
        CHECK(too_far == 0);
      });
    }
  }
}

TEST_CASE("quantized_conv2d: one and two threads give the same bits") {
  for (const Case& c : awkward_cases()) {
    CAPTURE(c);
    const Problem problem(c);
    for (const auto& rung : quantized_conv2d_ladder()) {
      CAPTURE(rung.name);
      Tensor first, first_codes;
      on_one_and_two_threads([&](int) {
        const Tensor y = problem.run(rung, false), codes = problem.run(rung, true);
        if (first) CHECK(identical(y, first));
        if (first) CHECK(same_bytes(codes, first_codes));
        first = y;
        first_codes = codes;
      });
    }
  }
}

TEST_CASE("quantized_conv2d: an image of zeros gives the bias, whatever the zero points") {
  Problem problem({"zeros", {1, 13, 9, 30}, 20});
  const Tensor x = problem.inputs[Op::kX];
  for (std::int64_t i = 0; i < x.shape().elements(); ++i) {
    x.view<std::int8_t>().data[i] = static_cast<std::int8_t>(
        problem.inputs[Op::kCodeX].view<const float>()(0, 0, 1, static_cast<int>(i % 30)));
  }
  const View<const float> bias = problem.inputs[Op::kBias].view<const float>();
  for (const auto& rung : quantized_conv2d_ladder()) {
    CAPTURE(rung.name);
    const Tensor y = problem.run(rung, false);
    for (std::int64_t i = 0; i < y.shape().elements(); ++i) {
      CHECK(std::abs(y.view<const float>().data[i] - bias.data[i % 20]) <= 1e-5f);
    }
  }
}

TEST_CASE("quantized_conv2d: what lies beyond the codes of y saturates") {
  Problem problem({"far beyond", {1, 6, 6, 16}, 16});
  const Tensor far = Tensor::empty(vector_shape(16));
  for (int k = 0; k < 16; ++k) far.view<float>().data[k] = k % 2 == 0 ? 1e20f : -1e20f;
  problem.inputs[Op::kBias] = far;
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    for (const auto& rung : quantized_conv2d_ladder()) {
      CAPTURE(rung.name);
      const Tensor y = problem.run(rung, true);
      for (std::int64_t i = 0; i < y.shape().elements(); ++i) {
        CHECK(y.view<const std::int8_t>().data[i] == (i % 2 == 0 ? 127 : -128));
      }
    }
  });
}

TEST_CASE("quantized_conv2d: codes of another size are refused") {
  Op op;
  op.conv.kernel_h = op.conv.kernel_w = 3;
  op.conv.outputs = 8;
  const Shapes in = {{1, 5, 5, 16}, {8, 3, 3, 16}, {}, {}, {}, {1, 1, 2, 15}};
  CHECK_THROWS_WITH_AS(op.shape(in),
                       "quantized_conv2d: code_x is [1,1,2,15], but 16 channels need [1,1,2,16]",
                       ShapeError);
}

TEST_CASE("quantize: rungs equal the reference, and codes survive the way back") {
  for (const Shape& shape :
       {Shape{1, 1, 1, 1}, Shape{2, 3, 5, 7}, Shape{1, 4, 9, 64}, Shape{1, 3, 4, 130}}) {
    CAPTURE(shape.c);
    const Tensor code = code_of(shape.c, 0.9f);
    const Guarded x(random_tensor(shape, 1));
    x.tensor().view<float>()(0, 0, 0, 0) = 1e30f;
    const Tensor expected = Tensor::empty(shape, DType::kI8);
    quantize_ladder()[0].kernel(x.tensor().view<const float>(), code.view<const float>(),
                                expected.view<std::int8_t>());
    const Quantization q = quantization(code.view<const float>());
    for (int c = 0; c < shape.c; ++c) {
      const float number =
          std::clamp(x.tensor().view<const float>()(0, 0, 0, c),
                     q.scale[c] * (kLeastInt8 - q.zero[c]), q.scale[c] * (kMostInt8 - q.zero[c]));
      const float back = q.scale[c] * (expected.view<const std::int8_t>()(0, 0, 0, c) - q.zero[c]);
      CHECK(std::abs(back - number) <= q.scale[c] * 0.5001f);
    }
    on_every_instruction_set([&](const std::string& target) {
      CAPTURE(target);
      for (const auto& rung : quantize_ladder()) {
        on_one_and_two_threads([&](int) {
          const Tensor y = Tensor::empty(shape, DType::kI8);
          rung.kernel(x.tensor().view<const float>(), code.view<const float>(),
                      y.view<std::int8_t>());
          // Instruction sets without FMA may round the last bit of x/scale + zero otherwise.
          CHECK(most_steps(y, expected) <= (target == "SSE4" ? 1 : 0));
        });
      }
    });
  }
}

TEST_CASE(
    "quantization: zero has an exact code, the ends of the range have the first and the last") {
  const Tensor code = Tensor::empty(code_shape(1));
  for (const auto& [low, high] : std::vector<std::pair<float, float>>{
           {-1, 1}, {0, 3}, {-2, 0}, {0.5f, 2}, {-3, -1}, {-1e-3f, 50}, {0, 0}}) {
    CAPTURE(low);
    CAPTURE(high);
    set_code(code.view<float>(), 0, low, high);
    const Quantization q = quantization(code.view<const float>());
    CHECK(q.scale[0] > 0);
    CHECK(q.zero[0] == std::nearbyint(q.zero[0]));
    CHECK(quantize(0, 1 / q.scale[0], q.zero[0]) == static_cast<int>(q.zero[0]));
    if (high > 0) CHECK(quantize(high, 1 / q.scale[0], q.zero[0]) >= 126);
    if (low < 0) CHECK(quantize(low, 1 / q.scale[0], q.zero[0]) <= -127);
  }
}

TEST_CASE("quantized_conv2d: factors that a plan folds are folded when it is calibrated, too") {
  op::Conv2d conv;
  conv.kernel_h = conv.kernel_w = 3;
  conv.padding_h = conv.padding_w = 1;
  conv.outputs = 32;
  const Tensor first = random_tensor({32, 3, 3, 32}, 1);
  const Tensor second = random_tensor({32, 3, 3, 32}, 2);
  // Far from 1: codes of what lies before the factor would clip or be coarse.
  const Tensor factor = Tensor::empty(vector_shape(32));
  for (int k = 0; k < 32; ++k) factor.view<float>().data[k] = k % 2 == 0 ? 50.0f : 0.02f;
  const Network network = [&](const Tensors& inputs) {
    const Tensor scaled =
        apply(op::Binary{BinaryKind::kMultiply}, {apply(conv, {inputs[0], first}), factor});
    return Tensors{apply(conv, {scaled, second})};
  };
  const Tensors inputs = {random_tensor({1, 24, 30, 32}, 3)};
  const Calibration calibration = calibrate(network, {inputs});
  REQUIRE(calibration.steps.size() == 2);
  Plan exact(network, shapes_of(inputs));
  Plan quantized(network, shapes_of(inputs), nullptr, {.calibration = &calibration});
  CHECK(relative_error(quantized(inputs)[0], exact(inputs)[0]) < 0.03);
}

}  // namespace mend::test
