#include "train/discriminator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <map>

#include "engine/error.h"
#include "layers/spectral_norm.h"
#include "train/entries.h"
#include "train/initialize.h"

namespace mend {
namespace {

/// Steps of the power iteration on random weights, after which σ is good to some percent; each step of
/// the training adds one, and weights move little in a step.
constexpr int kFirstIterations = 15;

using UNetHyper = UNetDiscriminatorSN::Hyper;
using PatchHyper = NLayerDiscriminator::Hyper;
using Norm = NLayerDiscriminator::Norm;
using Judge = std::function<Tensor(const Tensor& picture)>;

UNetHyper unet_hyper(Entries& entries) {
  UNetHyper hyper;
  entries.take("num_feat", hyper.num_feat, 1, 512);
  entries.take("skip_connection", hyper.skip_connection);
  return hyper;
}

PatchHyper patch_hyper(Entries& entries) {
  PatchHyper hyper;
  entries.take("ndf", hyper.ndf, 1, 512);
  entries.take("n_layers", hyper.n_layers, 1, 8);
  std::string norm = "batch";
  entries.take("norm", norm);
  if (norm != "batch" && norm != "instance" && norm != "none") {
    entries.refuse(fmt::format("'norm' is '{}'; it must be batch, instance or none", norm));
  }
  hyper.norm = norm == "batch" ? Norm::kBatch : norm == "instance" ? Norm::kInstance : Norm::kNone;
  return hyper;
}

std::string describe(const DiscriminatorOptions& options) {
  if (const auto* unet = std::get_if<UNetHyper>(&options.hyper)) {
    return fmt::format("UNetDiscriminatorSN(num_feat {})", unet->num_feat);
  }
  const auto& patch = std::get<PatchHyper>(options.hyper);
  return fmt::format("NLayerDiscriminator(ndf {}, n_layers {})", patch.ndf, patch.n_layers);
}

Judge build(const DiscriminatorOptions& options, int channels, const Scope& p) {
  if (const auto* unet = std::get_if<UNetHyper>(&options.hyper)) {
    UNetHyper hyper = *unet;
    hyper.num_in_ch = channels;
    return UNetDiscriminatorSN(p, hyper);
  }
  PatchHyper hyper = std::get<PatchHyper>(options.hyper);
  hyper.input_nc = channels;
  return NLayerDiscriminator(p, hyper);
}

/// The least side of a picture that the convolutions of a patch discriminator leave something of.
int smallest_side(const PatchHyper& hyper) {
  return 3 << hyper.n_layers;  // halved so often, then two times a pixel less
}

void check_picture(const DiscriminatorOptions& options, const Shape& picture) {
  if (std::holds_alternative<UNetHyper>(options.hyper)) {
    constexpr int kMultiple = UNetDiscriminatorSN::kMultiple;
    if (picture.h % kMultiple == 0 && picture.w % kMultiple == 0) return;
    throw UsageError(fmt::format(
        "training: {} looks at pictures whose sides are multiples of {}, not {}x{}; change 'patch'",
        describe(options), kMultiple, picture.w, picture.h));
  }
  const int smallest = smallest_side(std::get<PatchHyper>(options.hyper));
  if (std::min(picture.h, picture.w) >= smallest) return;
  throw UsageError(
      fmt::format("training: {} looks at pictures of {} pixels a side or more, not {}x{}; change "
                  "'patch' or 'n_layers'",
                  describe(options), smallest, picture.w, picture.h));
}

/// Random numbers for what `store` was asked for.
Checkpoint drawn(const ParameterStore& store, std::uint64_t seed) {
  Checkpoint checkpoint;
  checkpoint.path = "discriminator at its start";
  for (const auto& [key, parameter] : store.bound()) {
    const bool is_scale = parameter.stored_shape.size() == 1 && key.ends_with(".weight");
    if (is_scale) {  // of a batch norm
      const std::vector<float> ones(static_cast<std::size_t>(parameter.stored_shape[0]), 1.0f);
      checkpoint.tensors[key] = make_stored_tensor(parameter.stored_shape, ones);
    } else {
      checkpoint.tensors[key] = initial_tensor(parameter, seed);
    }
  }
  return checkpoint;
}

}  // namespace

DiscriminatorOptions read_discriminator_options(const Json& given, const std::string& place) {
  Entries entries(given, place);
  std::string name;
  entries.take("name", name);
  DiscriminatorOptions options;
  if (name == "unet") {
    options.hyper = unet_hyper(entries);
  } else if (name == "patch") {
    options.hyper = patch_hyper(entries);
  } else {
    entries.refuse(fmt::format("'name' is '{}'; it must be unet or patch", name));
  }
  entries.take("start", options.start);
  entries.finish();
  return options;
}

Discriminator::Discriminator(const DiscriminatorOptions& options, const Shape& picture,
                             std::uint64_t seed)
    : options_(options), channels_(picture.c), description_(describe(options)) {
  check_picture(options, picture);
  Checkpoint start;
  if (options.start.empty()) {
    const auto untrained = ParameterStore::untrained(description_);
    build(options, channels_, Scope(untrained));
    start = drawn(*untrained, seed);
  } else {
    start = read_checkpoint(options.start);
  }
  const auto store = std::make_shared<ParameterStore>(std::move(start), description_);
  build(options, channels_, Scope(store));
  store->finish();
  std::map<std::string, std::size_t> places;
  for (const auto& [key, parameter] : store->bound()) {
    places[key] = tensors_.size();
    tensors_.push_back(parameter);
    is_trained_.push_back(!key.ends_with(".weight_u") && !key.ends_with(".weight_v"));
  }
  constexpr std::string_view kOriginal = "weight_orig";
  for (const auto& [key, place] : places) {
    if (!key.ends_with(kOriginal)) continue;
    const std::string conv = key.substr(0, key.size() - kOriginal.size());
    norms_.push_back({place, places.at(conv + "weight_u"), places.at(conv + "weight_v")});
  }
  if (!options.start.empty()) return;
  Tensors values;
  for (const Parameter& parameter : tensors_) values.push_back(parameter.tensor);
  for (int i = 0; i < kFirstIterations; ++i) iterate(values);
}

Tensors Discriminator::operator()(const Tensors& tensors, const Tensors& pictures) const {
  assert(tensors.size() == tensors_.size());
  std::map<std::string, Tensor> replaced;
  for (std::size_t i = 0; i < tensors.size(); ++i) replaced[tensors_[i].key] = tensors[i];
  const auto store = std::make_shared<ParameterStore>(Checkpoint{}, description_);
  store->replace(std::move(replaced));
  const Judge judge = build(options_, channels_, Scope(store));
  Tensors verdicts;
  for (const Tensor& picture : pictures) verdicts.push_back(judge(picture));
  return verdicts;
}

void Discriminator::iterate(const Tensors& tensors) const {
  for (const SpectralNorm& norm : norms_) {
    power_iteration(tensors[norm.weight], tensors[norm.u], tensors[norm.v]);
  }
}

}  // namespace mend
