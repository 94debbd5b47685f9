#include "kernels/activation/activation.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

// clang-format off
const Activation kAll[] = {
    {ActivationKind::kNone},     {ActivationKind::kRelu},     {ActivationKind::kRelu6},
    {ActivationKind::kLeakyRelu, 0.2f}, {ActivationKind::kPrelu}, {ActivationKind::kElu, 1.0f},
    {ActivationKind::kGelu},     {ActivationKind::kGeluTanh}, {ActivationKind::kSilu},
    {ActivationKind::kSigmoid},  {ActivationKind::kTanh},     {ActivationKind::kSoftplus},
    {ActivationKind::kMish},     {ActivationKind::kHardSigmoid}, {ActivationKind::kHardSwish},
};
const struct { const char* file; Activation activation; } kFixtures[] = {
    {"elu",               {ActivationKind::kElu, 1.0f}},
    {"gelu_erf",          {ActivationKind::kGelu}},
    {"gelu_tanh",         {ActivationKind::kGeluTanh}},
    {"hardsigmoid",       {ActivationKind::kHardSigmoid}},
    {"hardswish",         {ActivationKind::kHardSwish}},
    {"leaky_relu_0.01",   {ActivationKind::kLeakyRelu, 0.01f}},
    {"leaky_relu_0.2",    {ActivationKind::kLeakyRelu, 0.2f}},
    {"mish",              {ActivationKind::kMish}},
    {"prelu_per_channel", {ActivationKind::kPrelu}},
    {"prelu_shared",      {ActivationKind::kPrelu}},
    {"relu",              {ActivationKind::kRelu}},
    {"relu6",             {ActivationKind::kRelu6}},
    {"sigmoid",           {ActivationKind::kSigmoid}},
    {"silu",              {ActivationKind::kSilu}},
    {"softplus",          {ActivationKind::kSoftplus}},
    {"tanh",              {ActivationKind::kTanh}},
};
// clang-format on

const Variant<op::Activate, ActivationKernel>& rung_named(std::string_view name) {
  for (const auto& rung : activation_ladder()) {
    if (rung.name == name) return rung;
  }
  throw UsageError("no such rung");
}

/// Runs one rung of the ladder.
Tensor run(const Variant<op::Activate, ActivationKernel>& rung, const Activation& activation,
           const Tensor& x, const Tensor& slope) {
  const Tensor y = Tensor::full(x.shape(), std::numeric_limits<float>::quiet_NaN());
  rung.kernel(activation, x.view<const float>(), slope.view<const float>(), y.view<float>());
  return y;
}

}  // namespace

TEST_CASE("activation: every kind equals the official implementation") {
  for (const auto& fixture : kFixtures) {
    const std::string path =
        shared_path(std::string("goldens/ops/activation__") + fixture.file + ".safetensors");
    if (!require_data(path)) return;
    CAPTURE(fixture.file);
    const Golden golden = load_golden(path);
    Tensor slope;
    if (golden.weights.tensors.contains("weight")) {
      slope = to_tensor(golden.weights.tensors.at("weight"));
    }
    on_every_instruction_set([&](const char* target) {
      CAPTURE(target);
      const Tensor y = apply(op::Activate{fixture.activation}, {golden.at("input"), slope});
      CHECK(max_error(y, golden.at("output")) <= 2e-6);
    });
  }
}

TEST_CASE("activation: the SIMD formulas stay within 1e-6 of the double formula for all numbers") {
  // Steps of 2^-18 of the exponent from 2^-40 to 2^40, both signs.
  std::vector<float> values = {0.0f, -0.0f};
  for (int i = 0; i < 80 * 512; ++i) {
    const float x = std::exp2(static_cast<float>(i) / 512 - 40);
    values.push_back(x);
    values.push_back(-x);
  }
  const int count = static_cast<int>(values.size());
  const Tensor x = Tensor::from({1, 1, count, 1}, values);
  const Tensor slope = Tensor::full(vector_shape(1), 0.3f);
  on_every_instruction_set([&](const char* target) {
    CAPTURE(target);
    for (const Activation& activation : kAll) {
      CAPTURE(describe(activation));
      const Tensor y = run(rung_named("activation/simd"), activation, x, slope);
      double worst = 0;
      float worst_x = 0;
      for (int i = 0; i < count; ++i) {
        const double expected = activate(activation, values[i], 0.3f);
        const double share = activation.kind == ActivationKind::kGelu ? 0.5 : 0.125;
        const double scale = std::max({std::abs(expected), share * std::abs(values[i]), 1e-3});
        const double error = std::abs(y.view<const float>().data[i] - expected) / scale;
        if (error <= worst) continue;
        worst = error;
        worst_x = values[i];
      }
      CAPTURE(worst_x);
      CHECK(worst <= 1e-6);
    }
  });
}

TEST_CASE("activation: a NaN stays a NaN") {
  const Tensor x = Tensor::full({1, 1, 3, 19}, std::numeric_limits<float>::quiet_NaN());
  const Tensor slope = Tensor::full(vector_shape(19), 0.3f);
  on_every_instruction_set([&](const char* target) {
    CAPTURE(target);
    for (const Activation& activation : kAll) {
      CAPTURE(describe(activation));
      for (const auto& rung : activation_ladder()) {
        if (rung.device != DeviceKind::kCpu) continue;
        const Tensor y = run(rung, activation, x, slope);
        for (int i = 0; i < y.shape().elements(); ++i) {
          CHECK(std::isnan(y.view<const float>().data[i]));
        }
      }
    }
  });
}

TEST_CASE("activation: every rung keeps inside a channel slice, with a slope for each channel") {
  const Shape wide{2, 3, 5, 41};
  const Tensor x = Tensor::empty(wide);
  for (int i = 0; i < wide.elements(); ++i)
    x.view<float>().data[i] = static_cast<float>(i % 13) - 6;
  const Tensor slope = Tensor::empty(vector_shape(33));
  for (int c = 0; c < 33; ++c) slope.view<float>().data[c] = 0.01f * static_cast<float>(c);
  on_every_instruction_set([&](const char* target) {
    CAPTURE(target);
    for (const auto& rung : activation_ladder()) {
      CAPTURE(rung.name);
      if (rung.device != DeviceKind::kCpu) continue;
      const Tensor y = Tensor::full(wide, 7.0f);
      rung.kernel(Activation{ActivationKind::kPrelu}, x.channels(3, 33).view<const float>(),
                  slope.view<const float>(), y.channels(5, 33).view<float>());
      const View<const float> got = y.view<const float>(), in = x.view<const float>();
      int wrong = 0;
      for (int h = 0; h < 6; ++h)
        for (int w = 0; w < 5; ++w)
          for (int c = 0; c < 41; ++c) {
            const float value = in(h / 3, h % 3, w, std::min(std::max(c - 2, 3), 35));
            const float a = slope.view<const float>().data[std::min(std::max(c - 5, 0), 32)];
            const float expected = c < 5 || c >= 38 ? 7.0f : value >= 0 ? value : a * value;
            wrong += std::abs(got(h / 3, h % 3, w, c) - expected) > 1e-6f;
          }
      CHECK(wrong == 0);
    }
  });
}

TEST_CASE("activation: a PReLU slope that fits no channels is refused") {
  const Tensor x = Tensor::zeros({1, 2, 2, 6});
  CHECK_THROWS_WITH_AS(
      apply(op::Activate{{ActivationKind::kPrelu}}, {x, Tensor::zeros(vector_shape(5))}),
      "activation: PReLU slope is [1,1,1,5], but 6 channels take [1,1,1,6] or [1,1,1,1]",
      ShapeError);
}

}  // namespace mend::test
