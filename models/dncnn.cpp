#include "models/dncnn.h"

namespace mend {
namespace {

constexpr int kDilatedLayers = 7;  // of IRCNN

Recognised from_chain(const ConvChain::Hyper& chain, const char* cls) {
  return {.fixed = {{"cls", cls},
                    {"in_nc", chain.in_nc},
                    {"out_nc", chain.out_nc},
                    {"nc", chain.nc},
                    {"nb", chain.nb}},
          .defaults = {{"act_mode", chain.act_mode}}};
}

bool is_picture(int channels) { return channels == 1 || channels == 3; }

/// Seven layers without batch norm are IRCNN's unless the hyper-parameters say DnCNN: one that small
/// was never published, and nothing else in a file could tell them apart.
bool is_ircnn(const ConvChain::Hyper& chain) {
  return chain.nb == kDilatedLayers && chain.act_mode == "R";
}

std::optional<Recognised> recognise_dncnn(const Checkpoint& checkpoint) {
  const auto chain = recognise_chain(checkpoint);
  if (!chain || chain->in_nc != chain->out_nc || !is_picture(chain->in_nc)) return std::nullopt;
  if (is_ircnn(*chain)) return std::nullopt;
  return from_chain(*chain, "DnCNN");
}

std::optional<Recognised> recognise_fdncnn(const Checkpoint& checkpoint) {
  const auto chain = recognise_chain(checkpoint);
  if (!chain || chain->in_nc != chain->out_nc + 1 || !is_picture(chain->out_nc)) {
    return std::nullopt;
  }
  return from_chain(*chain, "FDnCNN");
}

std::optional<Recognised> recognise_ircnn(const Checkpoint& checkpoint) {
  const auto chain = recognise_chain(checkpoint);
  if (!chain || chain->in_nc != chain->out_nc || !is_picture(chain->in_nc)) return std::nullopt;
  if (!is_ircnn(*chain)) return std::nullopt;
  Recognised recognised = from_chain(*chain, "IRCNN");
  recognised.fixed.erase("cls");
  recognised.defaults["cls"] = "IRCNN";
  return recognised;
}

Traits denoiser(const ConvChain::Hyper& chain) {
  Traits traits(TilePolicy::kExactHalo);
  traits.tasks = {"denoise"};
  traits.input_channels = chain.in_nc;
  traits.colour = chain.out_nc == 1 ? Colour::kGray : Colour::kRgb;
  return traits;
}

Built make_dncnn(const Scope& p, const Json& hyper) {
  const ConvChain::Hyper chain = chain_hyper(hyper);
  Traits traits = denoiser(chain);
  // dncnn3 removes JPEG artifacts too; its keys and shapes are those of the blind gray denoiser.
  if (chain.nb == 20 && chain.in_nc == 1) traits.tasks.emplace_back("dejpeg");
  return {traits, image_to_image(DnCNN(p, chain))};
}

Built make_fdncnn(const Scope& p, const Json& hyper) {
  const ConvChain::Hyper chain = chain_hyper(hyper);
  Traits traits = denoiser(chain);
  traits.condition = Condition::kSigmaMap;
  return {traits, image_to_image(FDnCNN(p, chain))};
}

Built make_ircnn(const Scope& p, const Json& hyper) {
  if (choice(hyper, "cls", {"IRCNN", "DnCNN"}) == "DnCNN") return make_dncnn(p, hyper);
  const ConvChain::Hyper chain = chain_hyper(hyper);
  return {denoiser(chain), image_to_image(IRCNN(p, chain))};
}

}  // namespace

Architecture dncnn() {
  return {.name = "dncnn",
          .title = "DnCNN",
          .paper = "Zhang et al. 2017, arXiv:1608.03981",
          .signature = "model.0.weight with equal channels in and out",
          .aliases = {{"act", "act_mode"}},
          .recognise = recognise_dncnn,
          .make = make_dncnn};
}

Architecture fdncnn() {
  return {.name = "fdncnn",
          .title = "FDnCNN",
          .paper = "Zhang et al. 2017, arXiv:1608.03981",
          .signature = "model.0.weight with one channel more than the output",
          .aliases = {{"act", "act_mode"}},
          .recognise = recognise_fdncnn,
          .make = make_fdncnn};
}

Architecture ircnn() {
  return {.name = "ircnn",
          .title = "IRCNN",
          .paper = "Zhang et al. 2017, arXiv:1704.03264",
          .signature = "model.0.weight, model.12.weight",
          .aliases = {},
          .recognise = recognise_ircnn,
          .make = make_ircnn};
}

}  // namespace mend
