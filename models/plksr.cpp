#include "models/plksr.h"

namespace mend {
namespace {

std::string mixer_of(int first_kernel, int second_kernel) {
  if (first_kernel == 3) return second_kernel == 3 ? "DCCM" : "CCM";
  return "ICCM";
}

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const bool real = has(checkpoint, "feats.1.channel_mixer.0.weight");
  const std::string mixer = real ? "channel_mixer" : "channe_mixer";
  const std::string block = "feats.1.";
  const int dim = extent(checkpoint, "feats.0.weight", 0);
  const int large = extent(checkpoint, block + "lk.conv.weight", 0);
  const int kernel = extent(checkpoint, block + "lk.conv.weight", 2);
  const int first = extent(checkpoint, block + mixer + ".0.weight", 2);
  const int second = extent(checkpoint, block + mixer + ".2.weight", 2);
  const std::vector<int> blocks = indices(checkpoint, "feats.", "refine.weight");
  const std::vector<int> convolutions = indices(checkpoint, "feats.");
  if (dim == 0 || large == 0 || kernel == 0 || first == 0 || second == 0 || blocks.empty() ||
      convolutions.size() != 2) {
    return std::nullopt;
  }
  const int channels =
      extent(checkpoint, "feats." + std::to_string(convolutions[1]) + ".weight", 0);
  const int upscale = channels % 3 == 0 ? whole_root(channels / 3) : 0;
  if (upscale == 0) return std::nullopt;
  Recognised recognised;
  Json& fixed = recognised.fixed;
  fixed = {{"cls", real ? "RealPLKSR" : "PLKSR"},
           {"dim", dim},
           {"n_blocks", blocks.back()},
           {"upscaling_factor", upscale},
           {"kernel_size", kernel},
           {"pdim", large},
           {"use_ea", has(checkpoint, block + "attn.f.0.weight")}};
  // pdim is the product, rounded down: several ratios may give it.
  recognised.defaults = {{"split_ratio", static_cast<double>(large) / dim}};
  if (real) {
    fixed["layer_norm"] = has(checkpoint, block + "layer_norm.weight");
    fixed["dysample"] = has(checkpoint, "to_img.offset.weight");
    fixed["group_norm"] = has(checkpoint, block + "norm.weight");
    recognised.defaults["norm_groups"] = 4;
  } else {
    fixed["ccm_type"] = mixer_of(first, second);
    fixed["lk_type"] = "PLK";
  }
  return recognised;
}

Built make(const Scope& p, const Json& hyper) {
  PLKSR::Hyper h;
  PLKBlock::Hyper& block = h.block;
  block.dim = integer(hyper, "dim", 1, 4096);
  block.kernel_size = integer(hyper, "kernel_size", 1, 255);
  block.large_channels = integer(hyper, "pdim", 1, block.dim);
  block.use_ea = flag(hyper, "use_ea");
  h.n_blocks = integer(hyper, "n_blocks", 1, 1022);
  h.upscaling_factor = integer(hyper, "upscaling_factor", 1, 16);
  h.last = h.n_blocks + 1;
  if (choice(hyper, "cls", {"PLKSR", "RealPLKSR"}) == "RealPLKSR") {
    block.real = true;
    h.dysample = flag(hyper, "dysample");
    block.layer_norm = flag(hyper, "layer_norm");
    if (flag(hyper, "group_norm")) block.norm_groups = integer(hyper, "norm_groups", 1, block.dim);
    h.last = h.n_blocks + 2;
  } else {
    const std::string mixer = choice(hyper, "ccm_type", {"CCM", "ICCM", "DCCM"});
    block.first_kernel = mixer == "ICCM" ? 1 : 3;
    block.second_kernel = mixer == "CCM" ? 1 : 3;
  }
  const bool pools = block.real && block.norm_groups > 0;  // group norm averages over the picture
  Traits traits(pools ? TilePolicy::kWholeImage : TilePolicy::kExactHalo);
  traits.tasks = {"upscale"};
  traits.scale = h.upscaling_factor;
  return {traits, image_to_image(PLKSR(p, h))};
}

}  // namespace

Architecture plksr() {
  return {.name = "plksr",
          .title = "PLKSR",
          .paper = "Lee et al. 2024, arXiv:2404.11848; RealPLKSR: neosr",
          .signature = "feats.1.lk.conv.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
