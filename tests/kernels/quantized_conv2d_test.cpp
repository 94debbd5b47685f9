#include "kernels/quantized_conv2d/quantized_conv2d.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "engine/calibration.h"
#include "engine/parallel.h"
#include "engine/plan.h"
#include "engine/quantization.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/quantize/quantize.h"
#include "tests/kernels/quantized_conv2d_cases.h"
#include "tests/support/guarded.h"

namespace mend::test {
namespace {

using Op = op::QuantizedConv2d;

}  // namespace

TEST_CASE("quantized_conv2d: every rung matches the reference on every instruction set") {
  for (const QuantizedCase& c : awkward_quantized_cases()) {
    CAPTURE(c);
    const QuantizedProblem problem(c);
    const auto& reference = quantized_conv2d_ladder().front();
    const Tensor expected = problem.run(reference, false);
    const Tensor expected_codes = problem.run(reference, true);
    for (const auto* rung : quantized_conv2d_rungs(DeviceKind::kCpu)) {
      CAPTURE(rung->name);
      REQUIRE(problem.fits(*rung));
      on_every_instruction_set([&](const std::string& target) {
        CAPTURE(target);
        const Tensor y = problem.run(*rung, false), codes = problem.run(*rung, true);
        CHECK(relative_error(y, expected) <= rung->error_within);
        CHECK(problem.codes_too_far(y, expected, codes, expected_codes) == 0);
      });
    }
  }
}

TEST_CASE("quantized_conv2d: one and two threads give the same bits") {
  for (const QuantizedCase& c : awkward_quantized_cases()) {
    CAPTURE(c);
    const QuantizedProblem problem(c);
    for (const auto* rung : quantized_conv2d_rungs(DeviceKind::kCpu)) {
      CAPTURE(rung->name);
      Tensor first, first_codes;
      on_one_and_two_threads([&](int) {
        const Tensor y = problem.run(*rung, false), codes = problem.run(*rung, true);
        if (first) CHECK(identical(y, first));
        if (first) CHECK(same_bytes(codes, first_codes));
        first = y;
        first_codes = codes;
      });
    }
  }
}

TEST_CASE("quantized_conv2d: an image of zeros gives the bias, whatever the zero points") {
  QuantizedProblem problem({"zeros", {1, 13, 9, 30}, 20});
  const Tensor x = problem.inputs[Op::kX];
  for (std::int64_t i = 0; i < x.shape().elements(); ++i) {
    x.view<std::int8_t>().data[i] = static_cast<std::int8_t>(
        problem.inputs[Op::kCodeX].view<const float>()(0, 0, 1, static_cast<int>(i % 30)));
  }
  const View<const float> bias = problem.inputs[Op::kBias].view<const float>();
  for (const auto* rung : quantized_conv2d_rungs(DeviceKind::kCpu)) {
    CAPTURE(rung->name);
    const Tensor y = problem.run(*rung, false);
    for (std::int64_t i = 0; i < y.shape().elements(); ++i) {
      CHECK(std::abs(y.view<const float>().data[i] - bias.data[i % 20]) <= 1e-5f);
    }
  }
}

TEST_CASE("quantized_conv2d: what lies beyond the codes of y saturates") {
  QuantizedProblem problem({"far beyond", {1, 6, 6, 16}, 16});
  const Tensor far = Tensor::empty(vector_shape(16));
  for (int k = 0; k < 16; ++k) far.view<float>().data[k] = k % 2 == 0 ? 1e20f : -1e20f;
  problem.inputs[Op::kBias] = far;
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    for (const auto* rung : quantized_conv2d_rungs(DeviceKind::kCpu)) {
      CAPTURE(rung->name);
      const Tensor y = problem.run(*rung, true);
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
        if (rung.device != DeviceKind::kCpu) continue;
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
