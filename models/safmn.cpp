#include "models/safmn.h"

namespace mend {
namespace {

// The coarsest scale has an eighth of the rows and columns; a sixteenth in the NTIRE network.
constexpr int kSmallest = 8, kSmallestOfNtire = 16;

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int dim = extent(checkpoint, "to_feat.weight", 0);
  const int hidden = extent(checkpoint, "feats.0.ccm.ccm.0.weight", 0);
  const int last = extent(checkpoint, "to_img.0.weight", 0);
  const bool ntire = has(checkpoint, "norm.gamma");
  if (dim == 0 || hidden == 0 || !has(checkpoint, "feats.0.safm.mfr.0.weight") ||
      has(checkpoint, "feats.0.norm1.weight") == ntire) {
    return std::nullopt;
  }
  const int upscale = last % 3 == 0 ? whole_root(last / 3) : 0;
  if (upscale == 0) return std::nullopt;
  return Recognised{
      .fixed = {{"dim", dim},
                {"n_blocks", indices(checkpoint, "feats.", "safm.aggr.weight").size()},
                {"upscaling_factor", upscale},
                {"ntire", ntire}},
      .defaults = {{"ffn_scale", shortest_ratio({{hidden, dim}})}}};
}

Built make(const Scope& p, const Json& hyper) {
  SAFMN::Hyper h;
  h.dim = integer(hyper, "dim", SAFM::kLevels, 4096);
  h.n_blocks = integer(hyper, "n_blocks", 0, 1024);
  h.ffn_scale = ratio(hyper, "ffn_scale");
  h.upscaling_factor = integer(hyper, "upscaling_factor", 1, 16);
  h.ntire = flag(hyper, "ntire");
  // Sides that are no multiples of 8 are pooled in uneven parts, which a tile does not know.
  Traits traits(TilePolicy::kWholeImage);
  traits.tasks = {"upscale"};
  traits.scale = h.upscaling_factor;
  traits.smallest = h.ntire ? kSmallestOfNtire : kSmallest;
  return {traits, image_to_image(SAFMN(p, h))};
}

}  // namespace

Architecture safmn() {
  return {.name = "safmn",
          .title = "SAFMN",
          .paper = "Sun et al. 2023, arXiv:2302.13800",
          .signature = "feats.0.safm.mfr.0.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
