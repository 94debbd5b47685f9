#include "kernels/deform_conv2d/deform_conv2d.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

auto call_kernel(const op::DeformConv2d& op) {
  return [op](const DeformConv2dKernel& kernel, Inputs inputs, const Tensor& y, Scratch scratch) {
    kernel.run(deform_conv2d_call(op, inputs, y, scratch));
  };
}

Tensor optional(const Golden& golden, const std::string& name) {
  return golden.has(name) ? golden.at(name) : Tensor();
}

/// x, offset, mask, weight, bias of random numbers; offsets of up to 3 pixels.
std::vector<Tensor> random_inputs(const op::DeformConv2d& op, const Shape& x, int outputs,
                                  bool modulated, bool biased) {
  const auto extent = [&](int size, int kernel, int padding) {
    return (size + 2 * padding - op.dilation * (kernel - 1) - 1) / op.stride + 1;
  };
  const int P = extent(x.h, op.kernel_h, op.padding_h), Q = extent(x.w, op.kernel_w, op.padding_w);
  const int taps = op.offset_groups * op.kernel_h * op.kernel_w;
  const Tensor offset = random_tensor({x.n, P, Q, 2 * taps}, 2);
  for (std::int64_t i = 0; i < offset.shape().elements(); ++i) offset.view<float>().data[i] *= 3;
  return {random_tensor(x, 1), offset, modulated ? random_tensor({x.n, P, Q, taps}, 3) : Tensor(),
          random_tensor({outputs, op.kernel_h, op.kernel_w, x.c / op.groups}, 4),
          biased ? random_tensor(vector_shape(outputs), 5) : Tensor()};
}

}  // namespace

TEST_CASE("deform_conv2d: equals an independent implementation of the formula") {
  for (const char* name : {"modulated", "plain_groups"}) {
    CAPTURE(name);
    const Golden golden =
        load_golden(data_path("ops/deform_conv2d__" + std::string(name) + ".safetensors"));
    const auto params = nlohmann::json::parse(golden.metadata.at("params"));
    const Shape kernel = golden.at("weight").shape();
    const int padding = params["padding"];
    const op::DeformConv2d op{
        kernel.h, kernel.w,           params["stride"], padding,
        padding,  params["dilation"], params["groups"], params["offset_groups"]};
    const Tensor& expected = golden.at("output");
    const std::vector<Tensor> inputs = {golden.at("input"), golden.at("offset"),
                                        optional(golden, "mask"), golden.at("weight"),
                                        optional(golden, "bias")};
    for (const auto& rung : deform_conv2d_ladder()) {
      if (rung.device != DeviceKind::kCpu) continue;
      CAPTURE(rung.name);
      const Tensor y = Tensor::empty(op.shape(shapes_of(inputs)));
      const Tensor scratch =
          Tensor::empty(vector_shape(static_cast<int>(op.scratch_bytes(shapes_of(inputs)))));
      call_kernel(op)(rung.kernel, inputs, y,
                      {scratch.storage()->data(), scratch.storage()->bytes()});
      CHECK(max_error(y, expected) <= 2e-6);
    }
  }
}

TEST_CASE("deform_conv2d: every rung matches the reference") {
  const auto check = [](const op::DeformConv2d& op, const Shape& x, int outputs, bool modulated,
                        bool biased) {
    check_rungs(deform_conv2d_ladder(), op, random_inputs(op, x, outputs, modulated, biased),
                call_kernel(op));
  };
  check({}, {1, 1, 1, 1}, 1, false, false);
  check({3, 3, 1, 1, 1}, {1, 5, 7, 3}, 5, true, true);
  check({3, 3, 1, 1, 1}, {1, 4, 37, 64}, 16, true, false);
  check({3, 3, 2, 1, 1, 1, 1, 4}, {2, 9, 8, 16}, 7, true, true);
  check({2, 3, 1, 2, 0, 2, 3, 2}, {1, 6, 13, 12}, 9, false, true);
  check({1, 5, 3, 0, 2, 1, 1, 8}, {1, 1, 211, 8}, 4, true, true);
}

TEST_CASE("deform_conv2d: an offset that is not finite gives NaN") {
  const op::DeformConv2d op;
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<Tensor> inputs = random_inputs(op, {1, 3, 3, 2}, 2, false, false);
    inputs[op::DeformConv2d::kOffset].view<float>()(0, 1, 1, 0) = bad;
    const Tensor output = mend::apply(op, inputs);
    const View<const float> y = output.view<const float>();
    CHECK(std::isnan(y(0, 1, 1, 0)));
    CHECK(std::isfinite(y(0, 1, 0, 0)));
  }
}

TEST_CASE("deform_conv2d: operands that do not fit are refused with both sides") {
  const op::DeformConv2d op{3, 3, 1, 1, 1};
  const Shape x{1, 8, 8, 4}, weight{6, 3, 3, 4};
  CHECK(op.shape({x, {1, 8, 8, 18}, {}, weight}) == Shape{1, 8, 8, 6});
  CHECK_THROWS_WITH_AS((op.shape({x, {1, 8, 8, 9}, {}, weight})),
                       "deform_conv2d: offset is [1,8,8,9], but must be [1,8,8,18]", ShapeError);
  CHECK_THROWS_AS((op.shape({x, {1, 8, 8, 18}, {1, 8, 8, 18}, weight})), ShapeError);
  CHECK_THROWS_AS((op.shape({x, {1, 8, 8, 18}, {}, {6, 3, 3, 2}})), ShapeError);
  CHECK_THROWS_AS((op.shape({x, {1, 8, 8, 18}, {}, weight, {1, 1, 1, 5}})), ShapeError);
  CHECK_THROWS_AS((op.shape({{1, 8, 8, 3}, {1, 8, 8, 18}, {}, {6, 3, 3, 4}})), ShapeError);
  CHECK(op.footprint({x, {1, 8, 8, 18}, {}, weight}).global);
}

}  // namespace mend::test
