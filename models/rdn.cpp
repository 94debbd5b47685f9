#include "models/rdn.h"

namespace mend {
namespace {

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int channels = extent(checkpoint, "F_m1.weight", 1);
  const int features = extent(checkpoint, "F_m1.weight", 0);
  const int growth = extent(checkpoint, "F_1_1.weight", 0);
  const int enlarged = extent(checkpoint, "UPN3.weight", 0);
  const std::vector<int> blocks = indices(checkpoint, "LFF_");
  const std::vector<int> layers = indices(checkpoint, "F_1_");
  if (channels == 0 || features == 0 || growth == 0 || enlarged == 0 || blocks.empty()) {
    return std::nullopt;
  }
  const int x = enlarged % channels == 0 ? whole_root(enlarged / channels) : 0;
  // "shuffle", the code's other way to enlarge, leaves SR `channels` channels alone.
  if (x == 0 || extent(checkpoint, "SR.weight", 1) != enlarged) return std::nullopt;
  return Recognised{.fixed = {{"C", layers.back()},
                              {"D", blocks.back()},
                              {"G", growth},
                              {"G0", features},
                              {"x", x},
                              {"c_dim", channels}}};
}

Built make(const Scope& p, const Json& hyper) {
  RDN::Hyper h;
  h.C = integer(hyper, "C", 1, 1024);
  h.D = integer(hyper, "D", 1, 1024);
  h.G = integer(hyper, "G", 1, 4096);
  h.G0 = integer(hyper, "G0", 1, 4096);
  h.x = integer(hyper, "x", 1, 16);
  h.c_dim = integer(hyper, "c_dim", 1, 4);
  Traits traits(TilePolicy::kExactHalo);
  traits.tasks = {"upscale"};
  traits.scale = h.x;
  traits.input_channels = h.c_dim;
  return {traits, image_to_image(RDN(p, h))};
}

}  // namespace

Architecture rdn() {
  return {.name = "rdn",
          .title = "RDN",
          .paper = "Zhang et al. 2018, arXiv:1802.08797",
          .signature = "F_m1.weight, F_1_1.weight, LFF_1.weight, UPN3.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
