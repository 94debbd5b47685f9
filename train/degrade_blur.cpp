#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "train/degradation_steps.h"
#include "train/filter.h"

namespace mend {
namespace {

using MakeKernel = std::function<Kernel(RandomStream&)>;

double angle_of(RandomStream& random) { return random.uniform(0, std::numbers::pi); }

MakeKernel kernel_of(StepParameters& parameters, const std::string& shape) {
  if (shape == "gaussian") {
    const Range deviation = parameters.range("deviation", 0, 10);
    const Range ratio = parameters.range("ratio", 0.1, 1, {1, 1});
    return [=](RandomStream& random) {
      const double first = deviation.draw(random), second = first * ratio.draw(random);
      return gaussian_kernel(first, second, angle_of(random));
    };
  }
  if (shape == "motion") {
    const Range length = parameters.range("length", 0, 40);
    const Range degrees = parameters.range("angle", 0, 180, {0, 180});
    return [=](RandomStream& random) {
      const double pixels = length.draw(random);
      return motion_kernel(pixels, degrees.draw(random) * std::numbers::pi / 180);
    };
  }
  if (shape == "disc") {
    const Range radius = parameters.range("radius", 0, 20);
    return [=](RandomStream& random) { return disc_kernel(radius.draw(random)); };
  }
  constexpr int kSincSide = 21;  // of Real-ESRGAN
  const Range cutoff = parameters.range("cutoff", 0.1, std::numbers::pi);
  return [=](RandomStream& random) { return sinc_kernel(cutoff.draw(random), kSincSide); };
}

}  // namespace

Degradation make_blur(StepParameters& parameters) {
  const std::string shape = parameters.word("shape", {"gaussian", "motion", "disc", "sinc"});
  const MakeKernel make = kernel_of(parameters, shape);
  return [=](const Tensor& x, const DegradationContext& context) {
    return filter(x, make(context.random));
  };
}

Degradation make_sharpen(StepParameters& parameters) {
  const Range amount = parameters.range("amount", 0, 10);
  const Range deviation = parameters.range("deviation", 0.1, 10, {1, 1});
  return [=](const Tensor& x, const DegradationContext& context) {
    const auto share = static_cast<float>(amount.draw(context.random));
    const double pixels = deviation.draw(context.random);
    const Tensor blurred = filter(x, gaussian_kernel(pixels, pixels, 0));
    Tensor y = Tensor::empty(x.shape());
    const float* from = x.view<const float>().data;
    const float* soft = blurred.view<const float>().data;
    float* to = y.view<float>().data;
    for (std::int64_t i = 0; i < x.shape().elements(); ++i) {
      to[i] = std::clamp(from[i] + share * (from[i] - soft[i]), 0.0f, 1.0f);
    }
    return y;
  };
}

}  // namespace mend
