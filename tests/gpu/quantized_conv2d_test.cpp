// 8-bit integers on the GPU, against the references on the CPU.
#include "kernels/quantized_conv2d/quantized_conv2d.h"

#include <doctest/doctest.h>

#include "engine/calibration.h"
#include "engine/plan.h"
#include "kernels/quantize/quantize.h"
#include "models/registry.h"
#include "tests/gpu/gpu_rungs.h"
#include "tests/kernels/quantized_conv2d_cases.h"
#include "train/initialize.h"

namespace mend::test {
namespace {

using Op = op::QuantizedConv2d;

const QuantizedConv2dVariant& rung_named(std::string_view name) {
  for (const QuantizedConv2dVariant& rung : quantized_conv2d_ladder()) {
    if (rung.name == name) return rung;
  }
  FAIL("there is no rung " << name);
  return quantized_conv2d_ladder().front();
}

void check_rungs_of(const QuantizedProblem& problem) {
  const QuantizedConv2dVariant& reference = quantized_conv2d_ladder().front();
  const Tensor expected = problem.run(reference, false);
  const Tensor expected_codes = problem.run(reference, true);
  int tried = 0;
  for (const auto* rung : quantized_conv2d_rungs(DeviceKind::kCuda)) {
    if (!problem.fits(*rung)) continue;
    CAPTURE(rung->name);
    ++tried;
    const Tensor y = problem.run(*rung, false, gpu(0)), codes = problem.run(*rung, true, gpu(0));
    CHECK(relative_error(y, expected) <= rung->error_within);
    CHECK(problem.codes_too_far(y, expected, codes, expected_codes) == 0);
    CHECK(identical(problem.run(*rung, false, gpu(0)), y));
  }
  CHECK(tried > 0);
}

/// x with its numbers beside others, `before` of 127 in front of each pixel and 3 behind.
Tensor in_the_middle(const Tensor& x, int before) {
  const Shape& s = x.shape();
  const Tensor wide = Tensor::empty({s.n, s.h, s.w, before + s.c + 3}, DType::kI8);
  std::fill_n(wide.view<std::int8_t>().data, wide.shape().elements(), std::int8_t{127});
  const View<std::int8_t> middle = wide.channels(before, s.c).view<std::int8_t>();
  const View<const std::int8_t> from = x.view<const std::int8_t>();
  for (int n = 0; n < s.n; ++n)
    for (int h = 0; h < s.h; ++h)
      for (int w = 0; w < s.w; ++w) std::copy_n(from.pixel(n, h, w), s.c, middle.pixel(n, h, w));
  return wide.on(gpu(0)).channels(before, s.c);
}

}  // namespace

TEST_CASE("quantize on the GPU: the codes of the reference") {
  for (const Shape& shape :
       {Shape{1, 1, 1, 1}, Shape{2, 3, 5, 7}, Shape{1, 4, 9, 64}, Shape{1, 3, 4, 130}}) {
    const Tensor code = code_of(shape.c, 0.9f), x = random_tensor(shape, 1);
    x.view<float>()(0, 0, 0, 0) = 1e30f;
    const Tensor expected = Tensor::empty(shape, DType::kI8);
    quantize_ladder()[0].kernel(x.view<const float>(), code.view<const float>(),
                                expected.view<std::int8_t>());
    for (const Margins& margins : {Margins{0, 0}, Margins{3, 2}, Margins{8, 8}}) {
      const GuardedOnGpu there(x, DType::kF32, margins);
      const Tensor y = apply(op::Quantize{}, {there.tensor(), code.on(gpu(0))});
      CHECK(y.dtype() == DType::kI8);
      CHECK(same_bytes(y.on(cpu()), expected));
    }
  }
}

TEST_CASE("quantized_conv2d on the GPU: every rung matches the reference") {
  for (const QuantizedCase& c : awkward_quantized_cases()) {
    CAPTURE(c);
    check_rungs_of(QuantizedProblem(c));
  }
}

TEST_CASE("quantized_conv2d on the GPU: other kernels, strides and groups") {
  const auto changed = [](const Shape& x, int outputs, auto change) {
    QuantizedProblem problem({"", x, outputs});
    change(problem.op.conv);
    const op::Conv2d& conv = problem.op.conv;
    problem.inputs[Op::kWeight] =
        random_tensor({outputs, conv.kernel_h, conv.kernel_w, x.c / conv.groups}, 2);
    CAPTURE(conv.describe());
    check_rungs_of(problem);
  };
  changed({1, 6, 7, 130}, 48, [](op::Conv2d& conv) {
    conv.kernel_h = conv.kernel_w = 1;
    conv.padding_h = conv.padding_w = 0;
  });
  changed({1, 9, 11, 32}, 20, [](op::Conv2d& conv) { conv.stride = 2; });
  changed({2, 8, 6, 20}, 16, [](op::Conv2d& conv) {
    conv.kernel_h = conv.kernel_w = 5;
    conv.padding_h = conv.padding_w = 2;
  });
  changed({1, 7, 7, 24}, 12,
          [](op::Conv2d& conv) { conv.dilation = conv.padding_h = conv.padding_w = 2; });
  changed({1, 5, 6, 24}, 12, [](op::Conv2d& conv) { conv.groups = 3; });
}

TEST_CASE("quantized_conv2d on the GPU: channels of a wider image give the same bits") {
  const QuantizedConv2dVariant& rung = rung_named("quantized_conv2d/cuda_int8");
  for (const int C : {32, 20, 17}) {
    const QuantizedProblem problem({"", {1, 9, 10, C}, 24});
    Op op = problem.op;
    op.variant = &rung;
    const Tensor packed = apply(op::PackQuantizedConv2dWeight{op},
                                {problem.inputs[Op::kWeight], problem.inputs[Op::kCodeX]});
    const Tensor expected = problem.run(rung, false, gpu(0));
    for (const int before : {0, 3, 4, 8, 16}) {
      const Tensor y = apply(op, {in_the_middle(problem.inputs[Op::kX], before),
                                  packed.on(gpu(0)),
                                  problem.inputs[Op::kBias].on(gpu(0)),
                                  {},
                                  {},
                                  problem.inputs[Op::kCodeX].on(gpu(0))});
      CHECK(identical(to_host(y), expected));
    }
  }
}

TEST_CASE("quantized_conv2d on the GPU: what lies beyond the codes of y saturates") {
  QuantizedProblem problem({"far beyond", {1, 6, 6, 16}, 16});
  const Tensor far = Tensor::empty(vector_shape(16));
  for (int k = 0; k < 16; ++k) far.view<float>().data[k] = k % 2 == 0 ? 1e20f : -1e20f;
  problem.inputs[Op::kBias] = far;
  for (const auto* rung : quantized_conv2d_rungs(DeviceKind::kCuda)) {
    CAPTURE(rung->name);
    const Tensor y = problem.run(*rung, true, gpu(0));
    for (std::int64_t i = 0; i < y.shape().elements(); ++i) {
      CHECK(y.view<const std::int8_t>().data[i] == (i % 2 == 0 ? 127 : -128));
    }
  }
}

TEST_CASE("quantized_conv2d on the GPU: a network in int8 is as near to f32 as on the CPU") {
  const Json hyperparameters = {{"num_in_ch", 3}, {"num_out_ch", 3}, {"num_feat", 32},
                                {"num_conv", 3},  {"upscale", 2},    {"act_type", "prelu"}};
  const Model model =
      load_model(initial_checkpoint(architecture_named("srvgg"), hyperparameters, 1));
  const Shape shape{1, 21, 18, 3};
  const Tensors x = {random_tensor(shape, 1)};
  const Calibration calibration = calibrate(model.forward, {x});
  REQUIRE(calibration.steps.size() == 4);
  Plan exact(model.forward, {shape});
  const Tensor expected = exact(x)[0];
  Plan on_cpu(model.forward, {shape}, nullptr, {.calibration = &calibration});
  Plan on_gpu(model.forward, {shape}, nullptr, {.calibration = &calibration, .device = &gpu(0)});
  const double error = relative_error(on_cpu(x)[0], expected).value;
  const Tensor y = on_gpu(x)[0];
  CHECK(relative_error(y, expected).value <= 1.5 * error);
  CHECK(identical(on_gpu(x)[0], y));  // recorded
}

}  // namespace mend::test
