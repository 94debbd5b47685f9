#include "models/fbcnn.h"

#include <algorithm>
#include <memory>

namespace mend {
namespace {

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const std::optional<KairUNetWidths> widths = kair_unet_widths(checkpoint);
  const int in = extent(checkpoint, "m_head.weight", 1);
  const int out = extent(checkpoint, "m_tail.weight", 0);
  const int hidden = extent(checkpoint, "qf_embed.0.weight", 0);
  if (!widths || in == 0 || out == 0 || hidden == 0) return std::nullopt;
  Recognised recognised;
  recognised.fixed = {{"in_nc", in},
                      {"out_nc", out},
                      {"nc", widths->nc},
                      {"nb", widths->nb},
                      {"embed_dim", hidden}};
  recognised.defaults = {{"act_mode", "R"}};
  return recognised;
}

Built make(const Scope& p, const Json& hyper) {
  FBCNN::Hyper h;
  h.in_nc = integer(hyper, "in_nc", 1, 64);
  h.out_nc = integer(hyper, "out_nc", 1, 64);
  const std::vector<int> widths = integers(hyper, "nc", 1, 4096, h.nc.size());
  std::copy(widths.begin(), widths.end(), h.nc.begin());
  h.nb = integer(hyper, "nb", 1, 1024);
  h.embed_dim = integer(hyper, "embed_dim", 1, 4096);
  choice(hyper, "act_mode", {"R"});
  Traits traits(TilePolicy::kWholeImage);
  traits.tasks = {"dejpeg"};
  traits.input_channels = h.in_nc;
  traits.colour = h.out_nc == 1 ? Colour::kGray : Colour::kRgb;
  traits.condition = Condition::kQuality;
  traits.inputs = {"input", "qf"};
  traits.optional_inputs = 1;
  traits.outputs = {"output", "qf_pred"};
  const auto net = std::make_shared<const FBCNN>(p, h);
  return {traits, [net](const std::vector<Tensor>& inputs) {
            return (*net)(inputs[0], inputs.size() > 1 ? std::optional(inputs[1]) : std::nullopt);
          }};
}

}  // namespace

Architecture fbcnn() {
  return {.name = "fbcnn",
          .title = "FBCNN",
          .paper = "Jiang et al. 2021, arXiv:2109.14573",
          .signature = "m_down1.4.weight 2x2, qf_embed.0.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
