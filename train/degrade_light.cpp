#include <algorithm>
#include <cmath>
#include <numbers>

#include "train/degradation_steps.h"
#include "train/filter.h"

namespace mend {
namespace {

/// A smooth field in about [0,1]: a slope from the bottom up, and waves of a few random directions.
class Depth {
 public:
  Depth(int height, int width, RandomStream& random) : height_(height), width_(width) {
    for (Wave& wave : waves_) {
      const double angle = random.uniform(0, 2 * std::numbers::pi);
      const double frequency = random.uniform(0.5, 2.5) * 2 * std::numbers::pi;
      wave = {frequency * std::cos(angle), frequency * std::sin(angle),
              random.uniform(0, 2 * std::numbers::pi)};
    }
  }
  double at(int y, int x) const {
    const double v = (y + 0.5) / height_, u = (x + 0.5) / width_;
    double depth = 1 - v;
    for (const Wave& wave : waves_) {
      depth += 0.1 * std::sin(wave.across * u + wave.down * v + wave.phase);
    }
    return std::clamp(depth, 0.0, 1.2);
  }

 private:
  struct Wave {
    double across, down, phase;
  };
  Wave waves_[3];
  int height_, width_;
};

}  // namespace

Degradation make_darken(StepParameters& parameters) {
  const Range gamma = parameters.range("gamma", 0.2, 10);
  const Range gain = parameters.range("gain", 0, 1);
  return [=](const Tensor& x, const DegradationContext& context) {
    const double power = gamma.draw(context.random), factor = gain.draw(context.random);
    Tensor y = x.clone();
    float* values = y.view<float>().data;
    for (std::int64_t i = 0; i < y.shape().elements(); ++i) {
      values[i] = static_cast<float>(factor * std::pow(std::max(0.0f, values[i]), power));
    }
    return y;
  };
}

Degradation make_haze(StepParameters& parameters) {
  const Range density = parameters.range("density", 0, 5);
  const Range light = parameters.range("light", 0.3, 1, {0.7, 1});
  return [=](const Tensor& x, const DegradationContext& context) {
    const double thickness = density.draw(context.random), air = light.draw(context.random);
    const Shape shape = x.shape();
    const Depth depth(shape.h, shape.w, context.random);
    Tensor y = x.clone();
    float* value = y.view<float>().data;
    for (int p = 0; p < shape.h; ++p)
      for (int q = 0; q < shape.w; ++q) {
        const double through = std::exp(-thickness * depth.at(p, q));
        for (int c = 0; c < shape.c; ++c, ++value) {
          *value = static_cast<float>(*value * through + air * (1 - through));
        }
      }
    return y;
  };
}

Degradation make_rain(StepParameters& parameters) {
  const Range amount = parameters.range("amount", 0, 0.2);
  const Range length = parameters.range("length", 1, 40, {8, 24});
  const Range strength = parameters.range("strength", 0, 4, {0.5, 1.5});
  return [=](const Tensor& x, const DegradationContext& context) {
    RandomStream& random = context.random;
    const double share = amount.draw(random), light = strength.draw(random);
    const double pixels = length.draw(random);
    const double angle = std::numbers::pi * random.uniform(0.35, 0.65);  // about downwards
    const Shape shape = x.shape();
    const Tensor drops = Tensor::zeros({1, shape.h, shape.w, 1});
    float* drop = drops.view<float>().data;
    for (std::int64_t i = 0; i < drops.shape().elements(); ++i) {
      if (random.chance(share)) drop[i] = static_cast<float>(random.uniform(0.3, 1) * light);
    }
    const Tensor streaks = filter(drops, motion_kernel(pixels, angle));
    Tensor y = x.clone();
    float* value = y.view<float>().data;
    const float* streak = streaks.view<const float>().data;
    for (std::int64_t i = 0; i < y.shape().pixels(); ++i)
      for (int c = 0; c < shape.c; ++c, ++value) *value += streak[i];
    return y;
  };
}

}  // namespace mend
