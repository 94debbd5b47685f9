#include "models/ffdnet.h"

namespace mend {
namespace {

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const auto chain = recognise_chain(checkpoint);
  if (!chain || chain->in_nc != chain->out_nc + 1) return std::nullopt;
  if (chain->out_nc != 4 && chain->out_nc != 12) return std::nullopt;  // gray, RGB
  return Recognised{.fixed = {{"in_nc", chain->out_nc / 4},
                              {"out_nc", chain->out_nc / 4},
                              {"nc", chain->nc},
                              {"nb", chain->nb}},
                    .defaults = {{"act_mode", chain->act_mode}}};
}

Built make(const Scope& p, const Json& hyper) {
  const ConvChain::Hyper chain = chain_hyper(hyper);
  Traits traits(TilePolicy::kExactHalo);
  traits.tasks = {"denoise"};
  traits.inputs = {"input", "sigma"};
  traits.condition = Condition::kSigma;
  traits.input_channels = chain.in_nc;
  traits.colour = chain.in_nc == 1 ? Colour::kGray : Colour::kRgb;
  const auto net = std::make_shared<const FFDNet>(
      p, FFDNet::Hyper{chain.in_nc, chain.out_nc, chain.nc, chain.nb, chain.act_mode});
  return {traits, [net](const std::vector<Tensor>& inputs) {
            return std::vector<Tensor>{(*net)(inputs[0], inputs[1])};
          }};
}

}  // namespace

Architecture ffdnet() {
  return {.name = "ffdnet",
          .title = "FFDNet",
          .paper = "Zhang et al. 2018, arXiv:1710.04026",
          .signature = "model.0.weight with 5 or 13 channels in, 4 or 12 out",
          .aliases = {{"act", "act_mode"}},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
