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
                                 {kLogarithm, 1e-3, 2},
                                 {kRoot},
                                 {kKnownL1, 0, 0.4},
                                 {kLogistic, 0, 0.3},
                                 {kHinge},
                                 {kWasserstein},
                                 {kKnown}};
constexpr Shape kAwkward[] = {{2, 3, 5, 3}, {1, 4, 3, 1}, {2, 5, 3, 8}, {1, 1, 1, 1}};

void check(const PixelLoss& loss, const Tensor& other) {
  const auto call = [&](PixelLossKernel kernel, Inputs in, const Tensor& y) {
    kernel(loss, in[0].view<const float>(), in[1].view<const float>(), y.view<float>());
  };
  const Tensor x = random_tensor(other.shape(), 1);
  check_gpu_rungs(pixel_loss_value_ladder(), op::PixelLossValue{loss}, {x, other}, call);
  check_gpu_rungs(pixel_loss_gradient_ladder(), op::PixelLossGradient{loss}, {x, other}, call);
}

/// Beside another picture, and beside x itself.
void check(const PixelLoss& loss, const Shape& shape) {
  for (const int seed : {2, 1}) check(loss, random_tensor(shape, seed));
}

}  // namespace

TEST_CASE("pixel losses on the GPU: value and gradient match the CPU's") {
  for (const PixelLoss& loss : kLosses) {
    for (const Shape& shape : kAwkward) check(loss, shape);
    check(loss, {3, 37, 41, 3});
  }
  const Tensor holes = random_tensor({2, 5, 7, 3}, 2);
  for (int i = 0; i < 210; i += 4) {
    holes.view<float>().data[i] = std::numeric_limits<float>::quiet_NaN();
  }
  for (const PixelLossKind kind : {kKnownL1, kKnown}) check({kind}, holes);
}

}  // namespace mend::test
