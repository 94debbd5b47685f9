// SSIM's kernels against the CPU's.
#include "kernels/ssim/ssim.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "restore/similarity.h"
#include "tests/gpu/gpu_rungs.h"

namespace mend::test {
namespace {

SsimTaps taps() {
  SsimTaps taps;
  std::ranges::copy(gaussian_window().taps, taps.weights);
  return taps;
}

/// A single window, tiles that are full, and tiles with a rest, of one channel and more.
constexpr Shape kAwkward[] = {{1, 11, 11, 1}, {2, 26, 26, 3}, {1, 27, 43, 3}, {3, 12, 29, 5}};

}  // namespace

TEST_CASE("ssim on the GPU: value and gradient match the CPU's") {
  const auto call = [](SsimKernel kernel, Inputs in, const Tensor& y) {
    std::vector<std::byte> scratch(static_cast<std::size_t>(ssim_loss_scratch(in[0].shape())));
    kernel(taps(), in[0].view<const float>(), in[1].view<const float>(), y.view<float>(), scratch);
  };
  for (const Shape& shape : kAwkward) {
    const Tensor x = random_tensor(shape, 1), target = random_tensor(shape, 2);
    check_gpu_rungs(ssim_loss_ladder(), op::SsimLoss{taps()}, {x, target}, call);
    check_gpu_rungs(ssim_loss_gradient_ladder(), op::SsimLossGradient{taps()}, {x, target}, call);
  }
}

TEST_CASE("ssim on the GPU: nearly white pictures keep their variances' digits, and NaN shows") {
  const Shape shape{1, 19, 23, 3};
  const Tensor x = random_within(shape, 1e-3f, 1), target = random_within(shape, 1e-3f, 2);
  for (const Tensor& picture : {x, target}) {
    float* values = picture.view<float>().data;
    for (int i = 0; i < shape.elements(); ++i) values[i] += 0.99f;
  }
  const auto run = [](const auto& op, const Tensor& a, const Tensor& b) {
    return to_host(apply(op, {to_gpu(a), to_gpu(b)}));
  };
  const op::SsimLoss loss{taps()};
  const op::SsimLossGradient gradient{taps()};
  CHECK(relative_error(run(loss, x, target), apply(loss, {x, target})) < 1e-6);
  CHECK(relative_error(run(gradient, x, target), apply(gradient, {x, target})) < 1e-6);
  x.view<float>()(0, 18, 22, 2) = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(run(loss, x, target).view<float>().data[0]));
}

}  // namespace mend::test
