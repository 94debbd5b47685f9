#include "models/sci.h"

namespace mend {
namespace {

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int channels = extent(checkpoint, "enhance.in_conv.0.weight", 0);
  const std::vector<int> blocks = indices(checkpoint, "enhance.blocks.", "0.weight");
  if (channels == 0 || blocks.empty()) return std::nullopt;
  return Recognised{.fixed = {{"layers", blocks.back() + 1}, {"channels", channels}}};
}

Built make(const Scope& p, const Json& hyper) {
  Traits traits(TilePolicy::kExactHalo);
  traits.tasks = {"lowlight"};
  traits.outputs = {"output", "illumination"};
  const auto net = std::make_shared<const SCI>(
      p, SCI::Hyper{integer(hyper, "layers", 1, 1024), integer(hyper, "channels", 1, 4096)});
  return {traits, [net](const std::vector<Tensor>& inputs) { return (*net)(inputs[0]); }};
}

}  // namespace

Architecture sci() {
  return {.name = "sci",
          .title = "SCI",
          .paper = "Ma et al. 2022, arXiv:2204.10137",
          .signature = "enhance.in_conv.0.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
