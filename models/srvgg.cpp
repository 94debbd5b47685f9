#include "models/srvgg.h"

namespace mend {
namespace {

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const std::vector<int> layers = indices(checkpoint, "body.");
  if (layers.empty() || layers.back() < 2 || layers.back() % 2 != 0) return std::nullopt;
  const std::string last = "body." + std::to_string(layers.back()) + ".weight";
  const int in = extent(checkpoint, "body.0.weight", 1);
  const int features = extent(checkpoint, "body.0.weight", 0);
  // The enlarged input is added to the output, so both have the same channels.
  const int upscale = in > 0 ? whole_root(extent(checkpoint, last, 0) / in) : 0;
  if (upscale == 0 || extent(checkpoint, last, 1) != features) return std::nullopt;
  Recognised recognised;
  recognised.fixed = {{"num_in_ch", in},
                      {"num_out_ch", in},
                      {"num_feat", features},
                      {"num_conv", layers.back() / 2 - 1},
                      {"upscale", upscale}};
  if (has(checkpoint, "body.1.weight")) {
    recognised.fixed["act_type"] = "prelu";
  } else {
    recognised.defaults["act_type"] = nullptr;  // "relu" or "leakyrelu"; neither has parameters
  }
  return recognised;
}

Built make(const Scope& p, const Json& hyper) {
  SRVGGNetCompact::Hyper h;
  h.num_in_ch = h.num_out_ch = integer(hyper, "num_in_ch", 1, 4);
  h.num_feat = integer(hyper, "num_feat", 1, 4096);
  h.num_conv = integer(hyper, "num_conv", 0, 1024);
  h.upscale = integer(hyper, "upscale", 1, 16);
  h.act_type = choice(hyper, "act_type", {"relu", "prelu", "leakyrelu"});
  Traits traits(TilePolicy::kExactHalo);
  traits.tasks = {"upscale"};
  if (h.upscale == 1) traits.tasks = {"denoise", "dejpeg"};
  traits.scale = h.upscale;
  traits.input_channels = h.num_in_ch;
  traits.colour = h.num_in_ch == 1 ? Colour::kGray : Colour::kRgb;
  return {traits, image_to_image(SRVGGNetCompact(p, h))};
}

}  // namespace

Architecture srvgg() {
  return {.name = "srvgg",
          .title = "SRVGGNetCompact",
          .paper = "Wang et al. 2021, Real-ESRGAN, arXiv:2107.10833",
          .signature = "body.0.weight, body.2.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
