// Convolutions of 8-bit integers, for the rungs of every device.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ostream>
#include <vector>

#include "kernels/elementwise/elementwise.h"
#include "kernels/quantized_conv2d/variant.h"
#include "tests/kernels/quantized_numbers.h"
#include "tests/support/compare.h"

namespace mend::test {

struct QuantizedCase {
  const char* name;
  Shape x;
  int outputs;
  int padding = 1;
  PaddingMode mode = PaddingMode::kZeros;
  Activation activation = {};
  float scale = 1;
  bool has_residual = false;

  friend std::ostream& operator<<(std::ostream& out, const QuantizedCase& c) {
    return out << c.name;
  }
};

inline std::vector<QuantizedCase> awkward_quantized_cases() {
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

/// A case with its inputs.
struct QuantizedProblem {
  using Op = op::QuantizedConv2d;

  explicit QuantizedProblem(const QuantizedCase& c) : inputs(Op::kSlots) {
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

  /// By `rung` on its device, with NaN in the scratch memory; the result is on the CPU.
  Tensor run(const QuantizedConv2dVariant& rung, bool quantizes_output,
             Device& device = cpu()) const {
    Op fixed = op;
    fixed.variant = &rung;
    fixed.quantizes_output = quantizes_output;
    std::vector<Tensor> operands = inputs;
    if (rung.kernel.pack != nullptr) {
      operands[Op::kWeight] =
          apply(op::PackQuantizedConv2dWeight{fixed}, {inputs[Op::kWeight], inputs[Op::kCodeX]});
    }
    for (Tensor& operand : operands) {
      if (operand) operand = operand.on(device);
    }
    const Shapes in = shapes_of(operands);
    const std::int64_t bytes = fixed.scratch_bytes(in);
    const Storage scratch(static_cast<std::size_t>(bytes) + 1, device);
    device.fill(scratch.data(), 0xFF, scratch.bytes());
    const Tensor y = Tensor::empty(fixed.shape(in), fixed.dtype(), device);
    device.fill(y.storage()->data(), 0xFF, y.storage()->bytes());
    fixed.forward(operands, y, {scratch.data(), static_cast<std::size_t>(bytes)});
    return y.on(cpu());
  }

  /// How many codes of a rung's y are further from the reference's than its f32 numbers are, and one step more for
  /// rounding.
  int codes_too_far(const Tensor& y, const Tensor& expected, const Tensor& codes,
                    const Tensor& expected_codes) const {
    const Quantization code = quantization(inputs[Op::kCodeY].view<const float>());
    int too_far = 0;
    for (std::int64_t i = 0; i < y.shape().elements(); ++i) {
      const float error =
          std::abs(y.view<const float>().data[i] - expected.view<const float>().data[i]);
      const int steps = std::abs(codes.view<const std::int8_t>().data[i] -
                                 expected_codes.view<const std::int8_t>().data[i]);
      const float scale = code.scale[i % y.shape().c];
      too_far += static_cast<float>(steps) > error / scale + 1.001f;
    }
    return too_far;
  }

  bool fits(const QuantizedConv2dVariant& rung) const {
    return rung.refuses(op, shapes_of(inputs)).empty();
  }

  Op op;
  std::vector<Tensor> inputs;
};

/// How many steps of 8 bits the results are apart at most.
inline int most_steps(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  int most = 0;
  for (std::int64_t i = 0; i < a.shape().elements(); ++i) {
    most = std::max(
        most, std::abs(a.view<const std::int8_t>().data[i] - b.view<const std::int8_t>().data[i]));
  }
  return most;
}

inline bool same_bytes(const Tensor& a, const Tensor& b) { return most_steps(a, b) == 0; }

/// The rungs of a device, naive to fastest.
inline std::vector<const QuantizedConv2dVariant*> quantized_conv2d_rungs(DeviceKind device) {
  std::vector<const QuantizedConv2dVariant*> rungs;
  for (const QuantizedConv2dVariant& rung : quantized_conv2d_ladder()) {
    if (rung.device == device) rungs.push_back(&rung);
  }
  return rungs;
}

}  // namespace mend::test
