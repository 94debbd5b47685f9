#include "models/espcn.h"

namespace mend {
namespace {

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int channels = extent(checkpoint, "first_part.0.weight", 1);
  const int first = extent(checkpoint, "first_part.0.weight", 0);
  const int second = extent(checkpoint, "first_part.2.weight", 0);
  const int last = extent(checkpoint, "last_part.0.weight", 0);
  if (channels == 0 || first == 0 || second == 0) return std::nullopt;
  const int scale = last % channels == 0 ? whole_root(last / channels) : 0;
  if (scale == 0) return std::nullopt;
  return Recognised{
      .fixed = {{"scale_factor", scale}, {"num_channels", channels}, {"widths", {first, second}}},
      .defaults = {{"activation", "tanh"}, {"output_activation", "none"}}};
}

Built make(const Scope& p, const Json& hyper) {
  ESPCN::Hyper h;
  h.scale_factor = integer(hyper, "scale_factor", 1, 8);
  h.num_channels = integer(hyper, "num_channels", 1, 4);
  hyper.at("widths").get_to(h.widths);
  h.activation = choice(hyper, "activation", {"tanh", "relu"});
  h.output_activation = choice(hyper, "output_activation", {"none", "tanh"});
  Traits traits(TilePolicy::kExactHalo);
  traits.tasks = {"upscale"};
  traits.scale = h.scale_factor;
  traits.input_channels = h.num_channels;
  traits.colour = h.num_channels == 1 ? Colour::kLuma : Colour::kRgb;
  return {traits, image_to_image(ESPCN(p, h))};
}

}  // namespace

Architecture espcn() {
  return {.name = "espcn",
          .title = "ESPCN",
          .paper = "Shi et al. 2016, arXiv:1609.05158",
          .signature = "first_part.2.weight, last_part.0.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
