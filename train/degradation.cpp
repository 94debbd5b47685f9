#include "train/degradation.h"

#include <fmt/format.h>

#include <string>

#include "engine/error.h"
#include "train/degradation_steps.h"

namespace mend {
namespace {

struct Kind {
  std::string_view name, parameters, what;
  Degradation (*make)(StepParameters& parameters);
};

// clang-format off
constexpr Kind kKinds[] = {
    {"gaussian_noise", "sigma (of 255), gray (chance)", "white noise", make_gaussian_noise},
    {"poisson_noise", "photons", "shot noise", make_poisson_noise},
    {"camera_noise", "shot, read", "noise of a sensor in linear light", make_camera_noise},
    {"blur", "shape, deviation, ratio, length, angle, radius, cutoff", "gaussian, motion, disc, sinc", make_blur},
    {"sharpen", "amount, deviation", "unsharp masking", make_sharpen},
    {"resize", "scale, filter", "to another size", make_resize},
    {"fit", "filter", "to the size that the network sees", make_fit},
    {"jpeg", "quality, grid drawn or corner", "through a JPEG file", make_jpeg},
    {"quantize", "", "to 8 bits", make_quantize},
    {"gray", "", "without colour", make_gray},
    {"darken", "gamma, gain", "underexposed", make_darken},
    {"haze", "density, light", "mist over the distance", make_haze},
    {"rain", "amount, length, strength", "streaks", make_rain},
    {"shapes", "count, size, softness", "discs, rectangles and stripes with sharp edges", make_shapes},
    {"text", "lines, size", "lines of writing", make_text},
    {"scratches", "count, spots", "marks of old prints", make_scratches},
    {"missing_pixels", "share", "single pixels become black", make_missing_pixels},
    {"holes", "share, size", "squares become black", make_holes},
};
// clang-format on

constexpr int kDeepest = 8;

Degradation make_list(const Json& list, const std::string& place, int depth);

/// {"do": "any", "of": [list, list, ...]}: one of them, each as likely, or as "weights" say.
Degradation make_any(StepParameters& parameters, int depth) {
  const Json* of = parameters.entry("of");
  if (of == nullptr || !of->is_array() || of->empty()) {
    parameters.refuse("needs 'of', a list of lists of steps");
  }
  std::vector<double> weights(of->size(), 1.0);
  if (const Json* given = parameters.entry("weights")) {
    if (!given->is_array() || given->size() != of->size()) {
      parameters.refuse("'weights' must be as many numbers as 'of' has lists");
    }
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (!(*given)[i].is_number() || !((*given)[i].get<double>() >= 0)) {
        parameters.refuse("'weights' must be numbers, not negative");
      }
      weights[i] = (*given)[i].get<double>();
    }
  }
  double all = 0;
  std::vector<Degradation> choices;
  for (std::size_t i = 0; i < of->size(); ++i) {
    choices.push_back(
        make_list((*of)[i], fmt::format("{}.of[{}]", parameters.place(), i), depth + 1));
    all += weights[i];
  }
  if (!(all > 0)) parameters.refuse("'weights' are all 0");
  return [choices, weights, all](const Tensor& x, const DegradationContext& context) {
    double at = context.random.uniform(0, all);
    std::size_t i = 0;
    while (i + 1 < choices.size() && at >= weights[i]) at -= weights[i++];
    return choices[i](x, context);
  };
}

Degradation make_step(const Json& step, const std::string& place, int depth) {
  if (!step.is_object() || !step.contains("do") || !step["do"].is_string()) {
    throw UsageError(fmt::format("{}: a step is an object with 'do', its name", place));
  }
  const auto name = step["do"].get<std::string>();
  StepParameters parameters(step, fmt::format("{} ({})", place, name));
  Degradation made;
  if (name == "any") {
    made = make_any(parameters, depth);
  } else {
    for (const Kind& kind : kKinds) {
      if (kind.name == name) made = kind.make(parameters);
    }
    if (!made) {
      std::string names;
      for (const Kind& kind : kKinds) names += fmt::format("{}, ", kind.name);
      throw UsageError(fmt::format("{}: '{}' is no step; there are {}any", place, name, names));
    }
  }
  const Range maybe = parameters.range("maybe", 0, 1, {1, 1});
  parameters.finish();
  if (maybe.low == 1) return made;
  return [made, chance = maybe.low](const Tensor& x, const DegradationContext& context) {
    return context.random.chance(chance) ? made(x, context) : x;
  };
}

Degradation make_list(const Json& list, const std::string& place, int depth) {
  if (!list.is_array()) throw UsageError(fmt::format("{}: must be a list of steps", place));
  if (depth > kDeepest)
    throw UsageError(fmt::format("{}: lists in lists go {} deep at most", place, kDeepest));
  std::vector<Degradation> steps;
  for (std::size_t i = 0; i < list.size(); ++i) {
    steps.push_back(make_step(list[i], fmt::format("{}[{}]", place, i), depth));
  }
  return [steps](const Tensor& x, const DegradationContext& context) {
    Tensor y = x;
    for (const Degradation& step : steps) y = step(y, context);
    return y;
  };
}

}  // namespace

Degradation make_degradation(const Json& list, const std::string& name) {
  return make_list(list, name, 0);
}

std::vector<DegradationKind> degradation_kinds() {
  std::vector<DegradationKind> kinds;
  for (const Kind& kind : kKinds) kinds.push_back({kind.name, kind.parameters, kind.what});
  kinds.push_back({"any", "of (lists), weights", "one of several lists of steps"});
  return kinds;
}

}  // namespace mend
