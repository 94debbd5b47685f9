#include <algorithm>
#include <cmath>

#include "train/degradation_steps.h"

namespace mend {
namespace {

/// A new tensor, change(value) for each number.
template <class Change>
Tensor changed(const Tensor& x, const Change& change) {
  Tensor y = x.clone();
  float* values = y.view<float>().data;
  for (std::int64_t i = 0; i < y.shape().elements(); ++i) values[i] = change(values[i]);
  return y;
}

/// How many photons arrive where `mean` are expected. Exact by Knuth's product of uniforms for few; for
/// many the normal distribution of the same variance, whose skew 1/√mean is below 0.2 there.
double photons_of(double mean, RandomStream& random) {
  constexpr double kMany = 30;
  if (mean <= 0) return 0;
  if (mean >= kMany) {
    return std::max(0.0, std::round(mean + std::sqrt(mean) * random.gaussian()));
  }
  const double limit = std::exp(-mean);
  int count = 0;
  for (double product = random.uniform(); product > limit; product *= random.uniform()) ++count;
  return count;
}

}  // namespace

Degradation make_gaussian_noise(StepParameters& parameters) {
  const Range sigma = parameters.range("sigma", 0, 255);
  const Range gray = parameters.range("gray", 0, 1, {0, 0});
  return [=](const Tensor& x, const DegradationContext& context) {
    RandomStream& random = context.random;
    const double deviation = sigma.draw(random) / 255;
    const int channels = x.shape().c;
    const bool is_gray = random.chance(gray.low);
    double noise = 0;
    int channel = 0;
    return changed(x, [&](float value) {
      if (channel == 0 || !is_gray) noise = deviation * random.gaussian();
      channel = (channel + 1) % channels;
      return static_cast<float>(value + noise);
    });
  };
}

Degradation make_poisson_noise(StepParameters& parameters) {
  const Range photons = parameters.range("photons", 1, 1e6);
  return [=](const Tensor& x, const DegradationContext& context) {
    // As likely between 10 and 100 as between 100 and 1000: noise goes with the root of their number.
    const double white =
        std::exp(context.random.uniform(std::log(photons.low), std::log(photons.high)));
    return changed(x, [&](float value) {
      return static_cast<float>(photons_of(value * white, context.random) / white);
    });
  };
}

namespace {

/// sRGB's curve (IEC 61966-2-1) and its inverse, for values in [0,1].
double to_linear(double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); }
double from_linear(double v) {
  return v <= 0.0031308 ? 12.92 * v : 1.055 * std::pow(v, 1 / 2.4) - 0.055;
}

}  // namespace

Degradation make_camera_noise(StepParameters& parameters) {
  const Range shot = parameters.range("shot", 0, 0.1);
  const Range read = parameters.range("read", 0, 0.2);
  return [=](const Tensor& x, const DegradationContext& context) {
    RandomStream& random = context.random;
    const double shot_noise = shot.draw(random), read_noise = read.draw(random);
    return changed(x, [&](float value) {
      const double light = to_linear(std::clamp(double{value}, 0.0, 1.0));
      const double variance = shot_noise * light + read_noise * read_noise;
      const double noisy = light + std::sqrt(variance) * random.gaussian();
      return static_cast<float>(from_linear(std::clamp(noisy, 0.0, 1.0)));
    });
  };
}

}  // namespace mend
