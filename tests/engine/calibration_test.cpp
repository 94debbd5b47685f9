#include "engine/calibration.h"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/passes.h"
#include "engine/plan.h"
#include "engine/quantization.h"
#include "tests/engine/test_ops.h"

namespace mend::test {
namespace {

/// x f32, code -> i8
struct Encode {
  static constexpr std::string_view kName = "encode";

  Shape shape(const Shapes& in) const { return in[0]; }
  DType dtype() const { return DType::kI8; }
  Cost cost(const Shapes&) const { return {}; }
  Footprint footprint(const Shapes&) const { return {}; }
  void forward(Inputs inputs, const Tensor& y, Scratch) const {
    const Quantization q = quantization(inputs[1].view<const float>());
    const View<const float> x = inputs[0].view<const float>();
    const View<std::int8_t> to = y.view<std::int8_t>();
    for_each(y.shape(), [&](int n, int h, int w, int c) {
      to(n, h, w, c) = quantize(x(n, h, w, c), 1 / q.scale[c], q.zero[c]);
    });
  }
};

/// y = −x on 8 bits: x i8, its code, y's code or nothing.
struct Negate8 {
  static constexpr std::string_view kName = "negate8";
  bool output = false;

  Shape shape(const Shapes& in) const { return in[0]; }
  DType dtype() const { return output ? DType::kI8 : DType::kF32; }
  Cost cost(const Shapes&) const { return {}; }
  Footprint footprint(const Shapes&) const { return {}; }
  void forward(Inputs inputs, const Tensor& y, Scratch) const {
    const Quantization from = quantization(inputs[1].view<const float>());
    const View<const std::int8_t> x = inputs[0].view<const std::int8_t>();
    for_each(y.shape(), [&](int n, int h, int w, int c) {
      const float number = -from.scale[c] * (x(n, h, w, c) - from.zero[c]);
      if (output) {
        const Quantization to = quantization(inputs[2].view<const float>());
        y.view<std::int8_t>()(n, h, w, c) = quantize(number, 1 / to.scale[c], to.zero[c]);
      } else {
        y.view<float>()(n, h, w, c) = number;
      }
    });
  }
};

/// y = −x, which can run on 8 bits.
struct Negate {
  static constexpr std::string_view kName = "negate";

  Shape shape(const Shapes& in) const { return in[0]; }
  Cost cost(const Shapes&) const { return {}; }
  Footprint footprint(const Shapes&) const { return {}; }
  void forward(Inputs inputs, const Tensor& y, Scratch) const {
    const View<const float> x = inputs[0].view<const float>();
    const View<float> to = y.view<float>();
    for_each(y.shape(), [&](int n, int h, int w, int c) { to(n, h, w, c) = -x(n, h, w, c); });
  }
  std::optional<Quantized> quantize(const Shapes&, bool output) const {
    return Quantized{Negate8{output}, Encode{}, 1};
  }
};

using Tensors = std::vector<Tensor>;

Tensor ramp(const Shape& shape) {
  const Tensor x = Tensor::empty(shape);
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    x.view<float>().data[i] = static_cast<float>(i % 41) - 17;
  }
  return x;
}

std::vector<std::string> names(const Graph& graph) {
  std::vector<std::string> result;
  for (const Step& step : graph.steps) result.emplace_back(step.op.name());
  return result;
}

using Names = std::vector<std::string>;

Tensors chain(const Tensors& in) {
  return {apply(Negate{}, {apply(Negate{}, {apply(Negate{}, {in[0]})})})};
}

}  // namespace

TEST_CASE("calibration: codes reach from the least to the greatest number of each channel") {
  Tensor low = Tensor::zeros({1, 4, 4, 2}), high = Tensor::zeros({1, 4, 4, 2});
  low.view<float>()(0, 1, 2, 0) = -3;
  high.view<float>()(0, 3, 3, 0) = 12;
  high.view<float>()(0, 0, 3, 1) = 5.1f;
  const Calibration calibration = calibrate(chain, {{low}, {high}});
  REQUIRE(calibration.steps.size() == 3);
  const Quantization x = quantization(calibration.steps[0].input.view<const float>());
  CHECK(x.scale[0] == doctest::Approx(15.0 / 255));
  CHECK(x.zero[0] == -128 + 51);
  CHECK(x.scale[1] == doctest::Approx(5.1 / 255));
  CHECK(x.zero[1] == -128);
  const Quantization y = quantization(calibration.steps[0].output.view<const float>());
  CHECK(y.zero[0] == 127 - 51);
  CHECK(calibration.steps[1].input.address() == calibration.steps[0].output.address());
}

TEST_CASE("calibration: a network without such steps has no codes") {
  const Network network = [](const Tensors& in) -> Tensors { return {apply(Shift{1}, {in[0]})}; };
  CHECK(calibrate(network, {{ramp({1, 4, 4, 2})}}).steps.empty());
}

TEST_CASE("quantize: a chain of steps passes 8-bit integers on, and only its ends are f32") {
  const Tensor x = ramp({1, 8, 8, 2});
  const Calibration calibration = calibrate(chain, {{x}});
  Plan plan(chain, {x.shape()}, nullptr, {&calibration});
  plan.poison();
  CHECK(names(plan.graph()) == Names{"encode", "negate8", "negate8", "negate8"});
  // Three values in i8 between x and y, two of them alive at once: x in f32 is the most.
  const Plan f32(chain, {x.shape()});
  CHECK(plan.arena_bytes() < f32.arena_bytes());
  const Tensor y = plan({x})[0];
  for (std::int64_t i = 0; i < x.shape().elements(); ++i) {
    CHECK(std::abs(y.view<const float>().data[i] + x.view<const float>().data[i]) <=
          40.0f / 255 * 1.6f);
  }
}

TEST_CASE("quantize: what others read stays f32, and is encoded once") {
  const Network network = [](const Tensors& in) -> Tensors {
    const Tensor z = apply(Negate{}, {in[0]});
    return {apply(Sum{}, {z, apply(Sum{}, {apply(Negate{}, {z}), apply(Negate{}, {z})})})};
  };
  const Tensor x = ramp({1, 4, 4, 2});
  const Calibration calibration = calibrate(network, {{x}});
  Plan plan(network, {x.shape()}, nullptr, {&calibration});
  plan.poison();
  CHECK(names(plan.graph()) ==
        Names{"encode", "negate8", "encode", "negate8", "negate8", "sum", "sum"});
  CHECK(plan({x})[0].view<const float>()(0, 1, 1, 1) ==
        doctest::Approx(x.view<const float>()(0, 1, 1, 1)).epsilon(0.05));
}

TEST_CASE("quantize: another network's calibration is refused") {
  const Tensor x = ramp({1, 4, 4, 2});
  const Calibration calibration = calibrate(chain, {{x}});
  const Network other = [](const Tensors& in) -> Tensors { return {apply(Negate{}, {in[0]})}; };
  CHECK_THROWS_AS(Plan(other, {x.shape()}, nullptr, {&calibration}), UsageError);
}

TEST_CASE("calibration: a plan that is only looked at needs no samples") {
  const Shapes in = {{1, 8, 8, 2}};
  const Calibration nominal = nominal_calibration(chain, in);
  const Calibration calibration = calibrate(chain, {{ramp(in[0])}});
  CHECK(Plan(chain, in, nullptr, {&nominal}).arena_bytes() ==
        Plan(chain, in, nullptr, {&calibration}).arena_bytes());
}

}  // namespace mend::test
