// The CUDA rungs of the deformable convolution against the reference on the CPU.
#include "kernels/deform_conv2d/deform_conv2d.h"

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/deform_conv2d/gradient.h"
#include "tests/gpu/gpu_rungs.h"

namespace mend::test {
namespace {

auto call_kernel(const op::DeformConv2d& op) {
  return [op](const DeformConv2dKernel& kernel, Inputs inputs, const Tensor& y) {
    kernel.run(deform_conv2d_call(op, inputs, y, {}));
  };
}

/// x, offset, mask, weight, bias of random numbers; offsets of up to 3 pixels.
std::vector<Tensor> random_inputs(const op::DeformConv2d& op, const Shape& x, int outputs,
                                  bool modulated, bool biased) {
  const auto extent = [&](int size, int kernel, int padding) {
    return (size + 2 * padding - op.dilation * (kernel - 1) - 1) / op.stride + 1;
  };
  const int P = extent(x.h, op.kernel_h, op.padding_h), Q = extent(x.w, op.kernel_w, op.padding_w);
  const int taps = op.offset_groups * op.kernel_h * op.kernel_w;
  return {random_tensor(x, 1), random_within({x.n, P, Q, 2 * taps}, 3, 2),
          modulated ? random_tensor({x.n, P, Q, taps}, 3) : Tensor(),
          random_tensor({outputs, op.kernel_h, op.kernel_w, x.c / op.groups}, 4),
          biased ? random_tensor(vector_shape(outputs), 5) : Tensor()};
}

void check(const op::DeformConv2d& op, const Shape& x, int outputs, bool modulated, bool biased) {
  const int ran =
      check_gpu_rungs(deform_conv2d_ladder(), op, random_inputs(op, x, outputs, modulated, biased),
                      call_kernel(op));
  CHECK(ran == 2);
}

/// Kernels, groups, and offset groups that lie across groups.
void check_all() {
  check({}, {1, 1, 1, 1}, 1, false, false);
  check({3, 3, 1, 1, 1}, {1, 5, 7, 3}, 5, true, true);
  check({3, 3, 1, 1, 1}, {1, 4, 11, 32}, 16, true, false);
  check({3, 3, 2, 1, 1, 1, 1, 4}, {2, 9, 8, 16}, 7, true, true);
  check({2, 3, 1, 2, 0, 2, 3, 2}, {1, 6, 13, 12}, 9, false, true);
  check({1, 3, 1, 0, 1, 1, 2, 4}, {2, 3, 5, 32}, 16, true, true);
}

}  // namespace

TEST_CASE("deform_conv2d on the GPU: every rung matches the reference") { check_all(); }

TEST_CASE("deform_conv2d on the GPU: with products in f32 it is exact") {
  force_variant("matmul", "cuda_tiled");
  const op::DeformConv2d op{3, 3, 1, 1, 1, 1, 2, 2};
  const std::vector<Tensor> inputs = random_inputs(op, {1, 6, 9, 16}, 8, true, true);
  const Tensor expected = Tensor::empty(op.shape(shapes_of(inputs)));
  call_kernel(op)(deform_conv2d_ladder()[0].kernel, inputs, expected);
  gpu(0).make_current();
  std::vector<Tensor> there;
  for (const Tensor& input : inputs) there.push_back(to_gpu(input));
  const Tensor y = Tensor::empty(expected.shape(), DType::kF32, gpu(0));
  for (const auto& rung : deform_conv2d_ladder()) {
    if (rung.device != DeviceKind::kCuda) continue;
    CAPTURE(rung.name);
    call_kernel(op)(rung.kernel, there, y);
    CHECK(relative_error(to_host(y), expected) <= 1e-6);
  }
  clear_forced_variants();
}

TEST_CASE("deform_conv2d on the GPU: an offset that is not finite gives NaN, a far one zeros") {
  const op::DeformConv2d op;
  const Tensor offset = Tensor::full({1, 1, 3, 2}, 0);
  offset.view<float>()(0, 0, 0, 0) = std::numeric_limits<float>::quiet_NaN();
  offset.view<float>()(0, 0, 1, 1) = std::numeric_limits<float>::infinity();
  offset.view<float>()(0, 0, 2, 1) = 1e30f;
  const std::vector<Tensor> inputs = {to_gpu(Tensor::full({1, 1, 3, 4}, 1)), to_gpu(offset),
                                      Tensor(), to_gpu(Tensor::full({2, 1, 1, 4}, 1)), Tensor()};
  gpu(0).make_current();
  for (const auto& rung : deform_conv2d_ladder()) {
    if (rung.device != DeviceKind::kCuda) continue;
    CAPTURE(rung.name);
    const Tensor there = Tensor::empty({1, 1, 3, 2}, DType::kF32, gpu(0));
    call_kernel(op)(rung.kernel, inputs, there);
    const Tensor y = to_host(there);
    CHECK(std::isnan(y.view<const float>()(0, 0, 0, 1)));
    CHECK(std::isnan(y.view<const float>()(0, 0, 1, 0)));
    CHECK(y.view<const float>()(0, 0, 2, 1) == 0);
  }
}

TEST_CASE("deform_conv2d's gradients on the GPU: every rung matches the reference") {
  const auto view = [](Inputs inputs, std::size_t i) {
    return inputs[i] ? inputs[i].view<const float>() : View<const float>{};
  };
  const auto check_gradients = [&](const op::DeformConv2d& op, const Shape& x, int outputs,
                                   bool modulated) {
    const std::vector<Tensor> in = random_inputs(op, x, outputs, modulated, false);
    const Tensor image = in[op.kX], offset = in[op.kOffset], mask = in[op.kMask];
    const Tensor dy = random_tensor(op.shape(shapes_of(in)), 6);
    const op::DeformColumnGradient of_column{op.groups};
    const Tensor column = random_tensor(of_column.shape({in[op.kWeight].shape(), dy.shape()}), 7);
    CHECK(check_gpu_rungs(deform_column_gradient_ladder(), of_column, {in[op.kWeight], dy},
                          [&](DeformColumnGradientKernel kernel, Inputs of, const Tensor& y) {
                            kernel(of_column, view(of, 0), view(of, 1), y.view<float>());
                          }) == 1);
    const op::DeformImageGradient of_image{op, x.h, x.w};
    CHECK(check_gpu_rungs(deform_image_gradient_ladder(), of_image, {offset, mask, column},
                          [&](DeformImageGradientKernel kernel, Inputs of, const Tensor& y) {
                            kernel(of_image, view(of, 0), view(of, 1), view(of, 2),
                                   y.view<float>());
                          }) == 1);
    for (const bool of_mask : {false, true}) {
      if (of_mask && !modulated) continue;
      const op::DeformOffsetGradient of_offset{op, of_mask};
      CHECK(check_gpu_rungs(deform_offset_gradient_ladder(), of_offset,
                            {image, offset, mask, column},
                            [&](DeformOffsetGradientKernel kernel, Inputs of, const Tensor& y) {
                              kernel(of_offset, view(of, 0), view(of, 1), view(of, 2), view(of, 3),
                                     y.view<float>());
                            }) == 1);
    }
    const op::DeformWeightGradient of_weight{op};
    const std::int64_t bytes =
        of_weight.scratch_bytes({image.shape(), offset.shape(), {}, dy.shape()});
    std::vector<double> memory(static_cast<std::size_t>(bytes) / sizeof(double));
    CHECK(check_gpu_rungs(deform_weight_gradient_ladder(), of_weight, {image, offset, mask, dy},
                          [&](DeformWeightGradientKernel kernel, Inputs of, const Tensor& y) {
                            kernel(of_weight, view(of, 0), view(of, 1), view(of, 2), view(of, 3),
                                   y.view<float>(), std::as_writable_bytes(std::span(memory)));
                          }) == 1);
  };
  check_gradients({3, 3, 1, 1, 1}, {1, 5, 7, 3}, 5, true);
  check_gradients({3, 3, 2, 1, 1, 1, 1, 4}, {2, 9, 8, 16}, 8, true);
  check_gradients({2, 3, 1, 2, 0, 2, 3, 2}, {1, 6, 9, 12}, 9, false);
  check_gradients({1, 1, 1, 0, 0, 1, 2, 1}, {2, 3, 4, 72}, 16, true);
}

}  // namespace mend::test
