#include "models/vdsr.h"

namespace mend {
namespace {

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const std::vector<int> layers = indices(checkpoint, "residual_layer.", "conv.weight");
  const int channels = extent(checkpoint, "input.weight", 1);
  const int features = extent(checkpoint, "input.weight", 0);
  if (layers.empty() || channels == 0 || features == 0) return std::nullopt;
  return Recognised{
      .fixed = {{"num_channels", channels}, {"nc", features}, {"nb", layers.back() + 3}}};
}

Built make(const Scope& p, const Json& hyper) {
  VDSR::Hyper h;
  h.num_channels = integer(hyper, "num_channels", 1, 4);
  h.nc = integer(hyper, "nc", 1, 4096);
  h.nb = integer(hyper, "nb", 2, 1026);
  Traits traits(TilePolicy::kExactHalo);
  traits.tasks = {"upscale"};
  traits.enlarge_first = 0;
  traits.input_channels = h.num_channels;
  traits.colour = h.num_channels == 1 ? Colour::kLuma : Colour::kRgb;
  return {traits, image_to_image(VDSR(p, h))};
}

}  // namespace

Architecture vdsr() {
  return {.name = "vdsr",
          .title = "VDSR",
          .paper = "Kim et al. 2016, arXiv:1511.04587",
          .signature = "residual_layer.0.conv.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
