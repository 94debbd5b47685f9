#include "models/conv_chain.h"

namespace mend {

std::optional<ConvChain::Hyper> recognise_chain(const Checkpoint& checkpoint) {
  std::vector<int> convolutions;
  for (const int index : indices(checkpoint, "model.")) {
    const std::string key = "model." + std::to_string(index) + ".weight";
    if (extent(checkpoint, key, 3) > 0) convolutions.push_back(index);
  }
  ConvChain::Hyper hyper;
  hyper.act_mode = has(checkpoint, "model.3.running_mean") ? "BR" : "R";
  hyper.nb = static_cast<int>(convolutions.size());
  if (hyper.nb < 2 || convolutions[0] != 0 || convolutions[1] != 2) return std::nullopt;
  const int step = hyper.act_mode == "BR" ? 3 : 2;
  if (convolutions.back() != 2 + (hyper.nb - 2) * step) return std::nullopt;
  const std::string last = "model." + std::to_string(convolutions.back()) + ".weight";
  hyper.in_nc = extent(checkpoint, "model.0.weight", 1);
  hyper.nc = extent(checkpoint, "model.0.weight", 0);
  hyper.out_nc = extent(checkpoint, last, 0);
  if (hyper.in_nc == 0 || hyper.nc == 0 || hyper.out_nc == 0) return std::nullopt;
  return hyper;
}

ConvChain::Hyper chain_hyper(const Json& hyper) {
  ConvChain::Hyper h;
  h.in_nc = integer(hyper, "in_nc", 1, 64);
  h.out_nc = integer(hyper, "out_nc", 1, 64);
  h.nc = integer(hyper, "nc", 1, 4096);
  h.nb = integer(hyper, "nb", 2, 1024);
  h.act_mode = choice(hyper, "act_mode", {"R", "BR", "L", "BL"});
  return h;
}

}  // namespace mend
