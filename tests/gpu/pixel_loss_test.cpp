// The CUDA rungs of the losses against those on the CPU.
#include "kernels/pixel_loss/pixel_loss.h"

#include <doctest/doctest.h>

#include "tests/gpu/gpu_rungs.h"

namespace mend::test {
namespace {

using enum PixelLossKind;
constexpr PixelLoss kLosses[] = {{kL1},
                                 {kMse, 0, 0.5},
                                 {kSmoothL1, 0.3},
                                 {kSmoothL1, 0, 2},
                                 {kCharbonnier, 1e-3, 0.7},
                                 {kCharbonnier, 1e-6},
                                 {kLogistic, 0, 0.3},
                                 {kHinge},
                                 {kWasserstein}};
constexpr Shape kAwkward[] = {{2, 3, 5, 3}, {1, 4, 3, 1}, {2, 5, 3, 8}, {1, 1, 1, 1}};

void check(const PixelLoss& loss, const Shape& shape) {
  const auto call = [&](PixelLossKernel kernel, Inputs in, const Tensor& y) {
    kernel(loss, in[0].view<const float>(), in[1].view<const float>(), y.view<float>());
  };
  const Tensor x = random_tensor(shape, 1), target = random_tensor(shape, 2);
  for (const Tensor& other : {target, x}) {
    check_gpu_rungs(pixel_loss_value_ladder(), op::PixelLossValue{loss}, {x, other}, call);
    check_gpu_rungs(pixel_loss_gradient_ladder(), op::PixelLossGradient{loss}, {x, other}, call);
  }
}

}  // namespace

TEST_CASE("pixel losses on the GPU: value and gradient match the CPU's") {
  for (const PixelLoss& loss : kLosses) {
    for (const Shape& shape : kAwkward) check(loss, shape);
    check(loss, {3, 37, 41, 3});
  }
}

}  // namespace mend::test
