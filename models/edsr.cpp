#include "models/edsr.h"

namespace mend {
namespace {

/// 2 to the number of x2 steps (there may be none), or 3; 0 if the upsampler's shapes fit neither.
int upscale_of(const Checkpoint& checkpoint, int features) {
  const std::vector<int> steps = indices(checkpoint, "upsample.");
  if (steps.empty()) return 1;
  const int out = extent(checkpoint, "upsample.0.weight", 0);
  if (steps.size() == 1 && out == 9 * features) return 3;
  if (out != 4 * features || steps.size() > 3) return 0;
  return 1 << steps.size();
}

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int features = extent(checkpoint, "conv_first.weight", 0);
  const std::vector<int> blocks = indices(checkpoint, "body.", "conv1.weight");
  if (features == 0 || blocks.empty() || !has(checkpoint, "conv_after_body.weight")) {
    return std::nullopt;
  }
  const int upscale = upscale_of(checkpoint, features);
  if (upscale == 0 || extent(checkpoint, "conv_first.weight", 1) != 3) return std::nullopt;
  return Recognised{
      .fixed = {{"num_in_ch", 3},
                {"num_out_ch", 3},
                {"num_feat", features},
                {"num_block", blocks.back() + 1},
                {"upscale", upscale}},
      // The large network, 256 features wide, was trained with the smaller residual scale.
      .defaults = {{"res_scale", features == 256 ? 0.1 : 1.0},
                   {"img_range", 255.0},
                   {"rgb_mean", {0.4488, 0.4371, 0.4040}}}};
}

Built make(const Scope& p, const Json& hyper) {
  EDSR::Hyper h;
  h.num_feat = integer(hyper, "num_feat", 1, 4096);
  h.num_block = integer(hyper, "num_block", 1, 1024);
  h.upscale = integer(hyper, "upscale", 1, 8);
  h.res_scale = number(hyper, "res_scale");
  h.img_range = number(hyper, "img_range");
  h.rgb_mean = numbers(hyper, "rgb_mean", 3);
  Traits traits(TilePolicy::kExactHalo);
  traits.tasks = {"upscale"};
  traits.scale = h.upscale;
  return {traits, image_to_image(EDSR(p, h))};
}

}  // namespace

Architecture edsr() {
  return {.name = "edsr",
          .title = "EDSR",
          .paper = "Lim et al. 2017, arXiv:1707.02921",
          .signature = "conv_after_body.weight, body.0.conv1.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
