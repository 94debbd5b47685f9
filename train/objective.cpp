#include "train/objective.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>

#include "models/vgg19.h"
#include "train/entries.h"
#include "train/traced_losses.h"

namespace mend {
namespace {

using Other = LossTerm::Other;

/// Reads the loss's own parameters, and says what it is.
using MakeLoss = void (*)(Entries& parameters, LossTerm& term);

template <PixelLossKind kKind>
void pixel(Entries& parameters, LossTerm& term) {
  PixelLoss loss{kKind};
  if (kKind == PixelLossKind::kSmoothL1) {
    loss.parameter = 1;
    parameters.take("beta", loss.parameter, 0.0, 1e9);
  }
  if (kKind == PixelLossKind::kCharbonnier) {
    loss.parameter = 1e-3;
    parameters.take("eps", loss.parameter, 1e-12, 1e9);
  }
  term.pixel = loss;
}

template <Tensor (*kLoss)(const Tensor&, const Tensor&)>
void of_two(Entries&, LossTerm& term) {
  term.loss = kLoss;
}

template <Tensor (*kLoss)(const Tensor&)>
void of_one(Entries&, LossTerm& term) {
  term.loss = [](const Tensor& x, const Tensor&) { return kLoss(x); };
}

void spatial_consistency(Entries& parameters, LossTerm& term) {
  int region = 4;
  parameters.take("region", region, 1, 4096);
  term.loss = [=](const Tensor& x, const Tensor& input) {
    return traced_spatial_consistency(x, input, region);
  };
}

void exposure(Entries& parameters, LossTerm& term) {
  double level = 0.6;
  int region = 16;
  parameters.take("level", level, 0.0, 1.0);
  parameters.take("region", region, 1, 4096);
  term.loss = [=](const Tensor& x, const Tensor&) { return traced_exposure(x, level, region); };
}

struct LossKind {
  std::string_view name;
  Other other;
  std::string_view output;
  MakeLoss make;
};

constexpr std::string_view kPicture, kCurves = "r";

// clang-format off
constexpr LossKind kKinds[] = {
    {"l1",                      Other::kTarget,  kPicture, pixel<PixelLossKind::kL1>},
    {"mse",                     Other::kTarget,  kPicture, pixel<PixelLossKind::kMse>},
    {"smooth_l1",               Other::kTarget,  kPicture, pixel<PixelLossKind::kSmoothL1>},
    {"charbonnier",             Other::kTarget,  kPicture, pixel<PixelLossKind::kCharbonnier>},
    {"psnr",                    Other::kTarget,  kPicture, of_two<traced_psnr>},
    {"fft_l1",                  Other::kTarget,  kPicture, of_two<traced_fft_l1>},
    {"ssim",                    Other::kTarget,  kPicture, of_two<traced_ssim>},
    {"total_variation",         Other::kNothing, kPicture, of_one<traced_total_variation>},
    {"spatial_consistency",     Other::kInput,   kPicture, spatial_consistency},
    {"exposure",                Other::kNothing, kPicture, exposure},
    {"colour_constancy",        Other::kNothing, kPicture, of_one<traced_colour_constancy>},
    {"illumination_smoothness", Other::kNothing, kCurves,  of_one<traced_illumination_smoothness>},
};
// clang-format on

std::string all_names() {
  std::vector<std::string_view> names;
  for (const LossKind& kind : kKinds) names.push_back(kind.name);
  return fmt::format("{}, zero_dce, perceptual, gan", fmt::join(names, ", "));
}

/// The weights of the authors' training.
Json zero_dce_losses() {
  return {{"spatial_consistency", 1},
          {"exposure", 10},
          {"colour_constancy", 5},
          {"illumination_smoothness", 200}};
}

LossTerm term_of(const std::string& name, const Json& given, const std::string& place) {
  const auto kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                 [&](const LossKind& row) { return row.name == name; });
  if (kind == std::end(kKinds)) {
    throw UsageError(fmt::format("{}: '{}' is no loss; there are {}", place, name, all_names()));
  }
  const Json options = given.is_number() ? Json{{"weight", given}} : given;
  Entries entries(options, fmt::format("{}: {}", place, name));
  LossTerm term{std::string(kind->name), 1, std::string(kind->output), kind->other, {}, {}};
  entries.take("weight", term.weight, 1e-12, 1e12);
  kind->make(entries, term);
  entries.finish();
  return term;
}

PerceptualOptions perceptual_of(const Json& given, const std::string& place) {
  Entries entries(given, place + ": perceptual");
  PerceptualOptions options;
  entries.take("weight", options.weight, 1e-12, 1e12);
  entries.take("vgg19", options.vgg19);
  if (options.vgg19.empty()) {
    entries.refuse("needs 'vgg19', the path of torchvision's weights of VGG19");
  }
  Json layers = {
      {"conv1_2", 0.1}, {"conv2_2", 0.1}, {"conv3_4", 1}, {"conv4_4", 1}, {"conv5_4", 1}};
  entries.take("layers", layers);
  if (!layers.is_object() || layers.empty()) {
    entries.refuse(R"('layers' must be an object, {"conv5_4": 1})");
  }
  Entries weights(layers, place + ": perceptual: layers");
  for (const auto& [name, weight] : layers.items()) {
    if (!Vgg19::has_layer(name)) {
      weights.refuse(
          fmt::format("VGG19 has no '{}'; its layers are conv1_1 to conv5_4, and relu1_1 "
                      "to relu5_4 behind them",
                      name));
    }
    weights.take(name, options.layers.emplace_back(name, 1).second, 1e-12, 1e12);
  }
  std::string criterion = "l1";
  entries.take("criterion", criterion);
  if (criterion != "l1" && criterion != "mse") {
    entries.refuse(fmt::format("'criterion' is '{}'; it must be l1 or mse", criterion));
  }
  options.criterion = criterion == "l1" ? PixelLossKind::kL1 : PixelLossKind::kMse;
  entries.finish();
  return options;
}

AdversarialOptions adversarial_of(const Json& given, const std::string& place) {
  Entries entries(given, place + ": gan");
  AdversarialOptions options;
  entries.take("weight", options.weight, 1e-12, 1e12);
  std::string kind = "vanilla";
  entries.take("kind", kind);
  if (kind != "vanilla" && kind != "least_squares" && kind != "hinge") {
    entries.refuse(fmt::format("'kind' is '{}'; it must be vanilla, least_squares or hinge", kind));
  }
  options.kind = kind == "vanilla"         ? GanKind::kVanilla
                 : kind == "least_squares" ? GanKind::kLeastSquares
                                           : GanKind::kHinge;
  const Json* discriminator = entries.entry("discriminator");
  if (discriminator == nullptr) entries.refuse(R"(needs 'discriminator', {"name": "unet"})");
  options.discriminator =
      read_discriminator_options(*discriminator, place + ": gan: discriminator");
  entries.take("optimizer", options.optimizer);
  if (!options.optimizer.is_null() && !options.optimizer.is_object()) {
    entries.refuse("'optimizer' must be an object, {...}");
  }
  entries.finish();
  return options;
}

}  // namespace

Objective make_objective(const Json& loss, const std::string& place) {
  if (loss.is_string()) {
    const auto name = loss.get<std::string>();
    if (name == "zero_dce") return make_objective(zero_dce_losses(), place);
    return {term_of(name, Json::object(), place)};
  }
  if (!loss.is_object() || loss.empty()) {
    throw UsageError(fmt::format(R"({}: {} is no loss; write "l1", or {{"l1": 1, "ssim": 0.1}})",
                                 place, loss.dump()));
  }
  Objective objective;
  for (const auto& [name, options] : loss.items()) {
    objective.push_back(term_of(name, options, place));
  }
  return objective;
}

LossOptions make_losses(const Json& loss, const std::string& place) {
  LossOptions options;
  Json direct = loss;
  if (loss.is_object()) {
    if (const auto found = loss.find("perceptual"); found != loss.end()) {
      options.perceptual = perceptual_of(*found, place);
      direct.erase("perceptual");
    }
    if (const auto found = loss.find("gan"); found != loss.end()) {
      options.adversarial = adversarial_of(*found, place);
      direct.erase("gan");
    }
  }
  const bool is_all = direct.is_object() && direct.empty() && !loss.empty();
  if (!is_all) options.objective = make_objective(direct, place);
  return options;
}

}  // namespace mend
