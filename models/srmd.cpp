#include "models/srmd.h"

namespace mend {
namespace {

constexpr int kInputs = 3 + SRMD::kNoBlur.size() + 1;

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const auto chain = recognise_chain(checkpoint);
  if (!chain || chain->in_nc != kInputs || chain->out_nc % 3 != 0) return std::nullopt;
  const int upscale = whole_root(chain->out_nc / 3);
  if (upscale == 0) return std::nullopt;
  return Recognised{.fixed = {{"in_nc", chain->in_nc},
                              {"out_nc", 3},
                              {"nc", chain->nc},
                              {"nb", chain->nb},
                              {"upscale", upscale}},
                    .defaults = {{"act_mode", chain->act_mode}}};
}

Built make(const Scope& p, const Json& hyper) {
  const ConvChain::Hyper chain = chain_hyper(hyper);
  const int upscale = integer(hyper, "upscale", 1, 8);
  Traits traits(TilePolicy::kExactHalo);
  traits.tasks = {"upscale"};
  traits.scale = upscale;
  traits.input_channels = chain.in_nc;
  traits.condition = Condition::kBlurAndSigmaMap;
  return {traits, image_to_image(SRMD(p, {chain.in_nc, chain.out_nc, chain.nc, chain.nb, upscale,
                                          chain.act_mode}))};
}

}  // namespace

Architecture srmd() {
  return {.name = "srmd",
          .title = "SRMD",
          .paper = "Zhang et al. 2018, arXiv:1712.06116",
          .signature = "model.0.weight with 19 channels in",
          .aliases = {{"scale", "upscale"}, {"act", "act_mode"}},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
