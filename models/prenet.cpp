#include "models/prenet.h"

namespace mend {
namespace {

/// How many of res_conv1, res_conv2, ... there are, and what PReNet and SAPNet have in common.
std::optional<Recognised> recognise_either(const Checkpoint& checkpoint, bool sapnet) {
  const int channels = extent(checkpoint, "conv0.0.weight", 0);
  const int reduced = extent(checkpoint, "res_conv1.1.conv_du.0.weight", 0);
  if (channels == 0 || extent(checkpoint, "conv0.0.weight", 1) != 6 ||
      !has(checkpoint, "conv_i.0.weight") || (reduced > 0) != sapnet) {
    return std::nullopt;
  }
  Recognised recognised;
  recognised.fixed = {{"channels", channels},
                      {"groups", indices(checkpoint, "res_conv", "0.weight").size()}};
  if (sapnet) recognised.fixed["reduced"] = reduced;
  recognised.defaults = {{"recurrent_iter", 6}};
  if (sapnet) recognised.defaults["use_dilation"] = true;
  return recognised;
}

std::optional<Recognised> recognise_prenet(const Checkpoint& checkpoint) {
  return recognise_either(checkpoint, false);
}
std::optional<Recognised> recognise_sapnet(const Checkpoint& checkpoint) {
  return recognise_either(checkpoint, true);
}

Built make(const Scope& p, const Json& hyper) {
  PReNet::Hyper h;
  h.channels = integer(hyper, "channels", 1, 4096);
  h.groups = integer(hyper, "groups", 0, 20);
  h.recurrent_iter = integer(hyper, "recurrent_iter", 1, 100);
  if (hyper.contains("reduced")) {
    h.reduced = integer(hyper, "reduced", 1, 4096);
    h.use_dilation = flag(hyper, "use_dilation");
  }
  // SAPNet weighs its channels by their means over the picture.
  Traits traits(h.reduced > 0 ? TilePolicy::kWholeImage : TilePolicy::kExactHalo);
  traits.tasks = {"derain"};
  return {traits, image_to_image(PReNet(p, h))};
}

}  // namespace

Architecture prenet() {
  return {.name = "prenet",
          .title = "PReNet",
          .paper = "Ren et al. 2019, arXiv:1901.09221",
          .signature = "conv_i.0.weight, res_conv1.0.weight",
          .aliases = {},
          .recognise = recognise_prenet,
          .make = make};
}

Architecture sapnet() {
  return {.name = "sapnet",
          .title = "SAPNet",
          .paper = "Zheng et al. 2022, arXiv:2111.08892",
          .signature = "conv_i.0.weight, res_conv1.1.conv_du.0.weight",
          .aliases = {},
          .recognise = recognise_sapnet,
          .make = make};
}

}  // namespace mend
