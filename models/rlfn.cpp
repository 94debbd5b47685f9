#include "models/rlfn.h"

namespace mend {
namespace {

// ESA halves the picture by an unpadded 3x3 convolution and pools windows of 7: (15 - 3)/2 + 1 = 7.
constexpr int kSmallest = 15;

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int in = extent(checkpoint, "conv_1.weight", 1);
  const int features = extent(checkpoint, "conv_1.weight", 0);
  const int attention = extent(checkpoint, "block_1.esa.conv_f.weight", 0);
  const int last = extent(checkpoint, "upsampler.0.weight", 0);
  if (in == 0 || features == 0 || attention == 0 || !has(checkpoint, "block_1.c3_r.weight")) {
    return std::nullopt;
  }
  const int upscale = last % in == 0 ? whole_root(last / in) : 0;
  if (upscale == 0) return std::nullopt;
  const std::vector<int> blocks = indices(checkpoint, "block_", "c1_r.weight");
  return Recognised{.fixed = {{"in_channels", in},
                              {"out_channels", in},
                              {"feature_channels", features},
                              {"upscale", upscale},
                              {"blocks", blocks.empty() ? 0 : blocks.back()},
                              {"esa_channels", attention}}};
}

Built make(const Scope& p, const Json& hyper) {
  RLFN::Hyper h;
  h.in_channels = integer(hyper, "in_channels", 1, 4);
  h.out_channels = integer(hyper, "out_channels", 1, 4);
  h.feature_channels = integer(hyper, "feature_channels", 1, 4096);
  h.upscale = integer(hyper, "upscale", 1, 16);
  h.blocks = integer(hyper, "blocks", 1, 1024);
  h.esa_channels = integer(hyper, "esa_channels", 1, 4096);
  Traits traits(TilePolicy::kWholeImage);
  traits.tasks = {"upscale"};
  traits.scale = h.upscale;
  traits.input_channels = h.in_channels;
  traits.colour = h.in_channels == 1 ? Colour::kGray : Colour::kRgb;
  traits.white = 255;
  traits.smallest = kSmallest;
  traits.tiles_change =
      "ESA enlarges its pooled map by a factor that depends on the picture's size";
  return {traits, image_to_image(RLFN(p, h))};
}

}  // namespace

Architecture rlfn() {
  return {.name = "rlfn",
          .title = "RLFN",
          .paper = "Kong et al. 2022, arXiv:2205.07514",
          .signature = "block_1.c1_r.weight, block_1.esa.conv_f.weight",
          .aliases = {{"in_nc", "in_channels"}, {"out_nc", "out_channels"}},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
