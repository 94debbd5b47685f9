// The CUDA rungs of grid sampling against the reference on the CPU.
#include "kernels/grid_sample/grid_sample.h"

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/grid_sample/gradient.h"
#include "tests/gpu/gpu_rungs.h"

namespace mend::test {
namespace {

std::vector<op::GridSample> all_kinds() {
  std::vector<op::GridSample> kinds;
  for (const SampleMode mode : {SampleMode::kBilinear, SampleMode::kNearest, SampleMode::kBicubic})
    for (const SamplePadding padding :
         {SamplePadding::kZeros, SamplePadding::kBorder, SamplePadding::kReflection})
      for (const bool align_corners : {false, true})
        kinds.push_back({mode, padding, align_corners});
  return kinds;
}

auto call_kernel(const op::GridSample& op) {
  return [op](GridSampleKernel kernel, Inputs inputs, const Tensor& y) {
    kernel(op, inputs[0].view<const float>(), inputs[1].view<const float>(), y.view<float>());
  };
}

}  // namespace

TEST_CASE("grid_sample on the GPU: every rung matches the reference") {
  for (const op::GridSample& op : all_kinds()) {
    const auto check = [&](const Shape& x, const Shape& grid) {
      const int ran =
          check_gpu_rungs(grid_sample_ladder(), op,
                          {random_tensor(x, 1), random_within(grid, 3, 2)}, call_kernel(op));
      CHECK(ran == 2);
    };
    check({1, 1, 1, 1}, {1, 2, 3, 2});
    check({2, 5, 7, 3}, {2, 3, 11, 2});
    check({1, 37, 1, 5}, {1, 14, 5, 2});
    check({1, 8, 9, 24}, {1, 1, 13, 2});
  }
}

TEST_CASE(
    "grid_sample on the GPU: a position that is not finite gives NaN, far ones their padding") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Tensor x = Tensor::full({1, 3, 3, 4}, 0.5f);
  const std::vector<float> positions = {
      std::numeric_limits<float>::quiet_NaN(), 0, 0, -kInfinity, 3e38f, 0, 0, -3e38f};
  const Tensor grid = Tensor::from({1, 1, 4, 2}, positions);
  gpu(0).make_current();
  for (const op::GridSample& op : all_kinds()) {
    CAPTURE(op.describe());
    for (const auto& rung : grid_sample_ladder()) {
      if (rung.device != DeviceKind::kCuda) continue;
      CAPTURE(rung.name);
      const Tensor there = Tensor::empty({1, 1, 4, 4}, DType::kF32, gpu(0));
      call_kernel(op)(rung.kernel, std::vector{to_gpu(x), to_gpu(grid)}, there);
      const Tensor y = to_host(there);
      const View<const float> got = y.view<const float>();
      const float outside = op.padding == SamplePadding::kZeros ? 0.0f : 0.5f;
      CHECK(std::isnan(got(0, 0, 0, 1)));
      CHECK(std::isnan(got(0, 0, 1, 0)));
      CHECK(got(0, 0, 2, 0) == doctest::Approx(outside));
      CHECK(got(0, 0, 3, 1) == doctest::Approx(outside));
    }
  }
}

TEST_CASE("grid_sample on the GPU: positions of a large image are exact") {
  // In float the position 4999.5 of 10000 pixels would be 5e-4 off.
  const int width = 10000;
  const Tensor x = random_tensor({1, 1, width, 1}, 1), grid = Tensor::empty({1, 1, 64, 2});
  for (int q = 0; q < 64; ++q) {
    grid.view<float>()(0, 0, q, 0) = 0.9f - 1e-5f * static_cast<float>(q);
    grid.view<float>()(0, 0, q, 1) = 0;
  }
  const op::GridSample op;
  CHECK(check_gpu_rungs(grid_sample_ladder(), op, {x, grid}, call_kernel(op)) == 2);
}

TEST_CASE("grid_sample's gradients on the GPU: every rung matches the reference") {
  for (const op::GridSample& op : all_kinds()) {
    const auto check = [&](const Shape& x, const Shape& grid) {
      const Tensor positions = random_within(grid, 3, 2);
      const Tensor dy = random_tensor(op.shape({x, grid}), 3);
      const op::GridSampleImageGradient of_image{op, x.h, x.w};
      CHECK(check_gpu_rungs(
                grid_sample_image_gradient_ladder(), of_image, {positions, dy},
                [&](GridSampleImageGradientKernel kernel, Inputs inputs, const Tensor& y) {
                  kernel(of_image, inputs[0].view<const float>(), inputs[1].view<const float>(),
                         y.view<float>());
                }) == 1);
      const op::GridSampleGridGradient of_grid{op};
      CHECK(check_gpu_rungs(
                grid_sample_grid_gradient_ladder(), of_grid, {random_tensor(x, 1), positions, dy},
                [&](GridSampleGridGradientKernel kernel, Inputs inputs, const Tensor& y) {
                  kernel(of_grid, inputs[0].view<const float>(), inputs[1].view<const float>(),
                         inputs[2].view<const float>(), y.view<float>());
                }) == 1);
    };
    check({2, 5, 7, 3}, {2, 3, 11, 2});
    check({1, 4, 4, 40}, {1, 9, 9, 2});
  }
}

TEST_CASE("grid_sample's gradients on the GPU: a cotangent that is no number is not hidden") {
  const op::GridSampleImageGradient op{{}, 3, 3};
  const Tensor dy = Tensor::full({1, 2, 2, 1}, 1);
  dy.view<float>()(0, 1, 1, 0) = std::numeric_limits<float>::infinity();
  gpu(0).make_current();
  const Tensor y = to_host(mend::apply(op, {to_gpu(random_tensor({1, 2, 2, 2}, 1)), to_gpu(dy)}));
  CHECK(std::isnan(y.view<const float>()(0, 0, 0, 0)));
}

}  // namespace mend::test
