#include "models/drunet.h"

#include <string>

namespace mend {
namespace {

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const std::optional<KairUNetWidths> widths = kair_unet_widths(checkpoint);
  const int in = extent(checkpoint, "m_head.weight", 1);
  const int out = extent(checkpoint, "m_tail.weight", 0);
  if (!widths || in == 0 || out == 0) return std::nullopt;
  const std::string first_block = widths->nb == 1 ? "m_body." : "m_body.0.";
  if (!has(checkpoint, first_block + "res.0.weight")) return std::nullopt;
  Recognised recognised;
  recognised.fixed = {{"in_nc", in},
                      {"out_nc", out},
                      {"nc", widths->nc},
                      {"nb", widths->nb},
                      {"bias", has(checkpoint, "m_head.bias")},
                      {"downsample_mode", "strideconv"},
                      {"upsample_mode", "convtranspose"}};
  recognised.defaults = {{"act_mode", "R"}};
  return recognised;
}

/// One channel in and two out: not KAIR's, but of our own weights that colorize. L*/100 in, a*b*/100 out.
Built colours_from_lightness(Traits traits, const DRUNet& network) {
  traits.tasks = {"colorize"};
  traits.colour = Colour::kLightness;
  traits.white = 100;
  traits.working_size = 256;
  return {traits, image_to_image([network](const Tensor& x) {
            return affine(network(affine(x, 0.01F, 0)), 100, 0);
          })};
}

Built make(const Scope& p, const Json& hyper) {
  DRUNet::Hyper h;
  h.in_nc = integer(hyper, "in_nc", 1, 64);
  h.out_nc = integer(hyper, "out_nc", 1, 64);
  const std::vector<int> widths = integers(hyper, "nc", 1, 4096, h.nc.size());
  std::copy(widths.begin(), widths.end(), h.nc.begin());
  h.nb = integer(hyper, "nb", 1, 1024);
  h.bias = flag(hyper, "bias");
  choice(hyper, "act_mode", {"R"});
  Traits traits(TilePolicy::kExactHalo);
  traits.tasks = {"denoise"};
  traits.input_channels = h.in_nc;
  traits.colour = h.out_nc == 1 ? Colour::kGray : Colour::kRgb;
  if (h.in_nc == h.out_nc + 1) traits.condition = Condition::kSigmaMap;
  if (h.in_nc == 1 && h.out_nc == 2) return colours_from_lightness(traits, DRUNet(p, h));
  return {traits, image_to_image(DRUNet(p, h))};
}

}  // namespace

std::optional<KairUNetWidths> kair_unet_widths(const Checkpoint& checkpoint) {
  const std::vector<int> down = indices(checkpoint, "m_down1.");  // the one convolution of stride 2
  if (down.size() != 1 || down[0] == 0) return std::nullopt;
  KairUNetWidths widths;
  widths.nb = down[0];
  for (int i = 0; i < 4; ++i) {
    const std::string level = std::to_string(i == 3 ? 3 : i + 1);
    const std::string key = "m_down" + level + "." + std::to_string(widths.nb) + ".weight";
    if (extent(checkpoint, key, 2) != 2) return std::nullopt;
    widths.nc[static_cast<std::size_t>(i)] = extent(checkpoint, key, i == 3 ? 0 : 1);
    if (widths.nc[static_cast<std::size_t>(i)] == 0) return std::nullopt;
  }
  return widths;
}

Architecture drunet() {
  return {.name = "drunet",
          .title = "UNetRes",
          .paper = "Zhang et al. 2021, DPIR, arXiv:2008.13751",
          .signature = "m_down1.4.weight 2x2, m_body.0.res.0.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
