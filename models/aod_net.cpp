#include "models/aod_net.h"

namespace mend {
namespace {

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int channels = extent(checkpoint, "e_conv1.weight", 0);
  if (channels == 0 || extent(checkpoint, "e_conv1.weight", 2) != 1 ||
      extent(checkpoint, "e_conv4.weight", 2) != 7) {
    return std::nullopt;
  }
  return Recognised{.fixed = {{"channels", channels}}};
}

Built make(const Scope& p, const Json& hyper) {
  Traits traits(TilePolicy::kExactHalo);
  traits.tasks = {"dehaze"};
  return {traits, image_to_image(AODNet(p, integer(hyper, "channels", 3, 3)))};
}

}  // namespace

Architecture aod_net() {
  return {.name = "aod_net",
          .title = "AODNet",
          .paper = "Li et al. 2017, AOD-Net, ICCV",
          .signature = "e_conv1.weight 1x1, e_conv4.weight 7x7",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
