#include "models/srcnn.h"

namespace mend {
namespace {

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  if (checkpoint.tensors.size() != 6) return std::nullopt;  // three weights, three biases
  int kernels[3], outputs[3];
  for (int i = 0; i < 3; ++i) {
    const std::string key = "conv" + std::to_string(i + 1) + ".weight";
    outputs[i] = extent(checkpoint, key, 0);
    kernels[i] = extent(checkpoint, key, 2);
    if (outputs[i] == 0 || kernels[i] % 2 == 0 || kernels[i] > 31) return std::nullopt;
  }
  const int channels = extent(checkpoint, "conv1.weight", 1);
  if (channels == 0 || outputs[2] != channels) return std::nullopt;
  return Recognised{.fixed = {{"num_channels", channels},
                              {"widths", {outputs[0], outputs[1]}},
                              {"kernels", {kernels[0], kernels[1], kernels[2]}}}};
}

Built make(const Scope& p, const Json& hyper) {
  SRCNN::Hyper h;
  h.num_channels = integer(hyper, "num_channels", 1, 4);
  hyper.at("widths").get_to(h.widths);
  hyper.at("kernels").get_to(h.kernels);
  Traits traits(TilePolicy::kExactHalo);
  traits.tasks = {"upscale"};
  traits.enlarge_first = 0;
  traits.input_channels = h.num_channels;
  traits.colour = h.num_channels == 1 ? Colour::kLuma : Colour::kRgb;
  return {traits, image_to_image(SRCNN(p, h))};
}

}  // namespace

Architecture srcnn() {
  return {.name = "srcnn",
          .title = "SRCNN",
          .paper = "Dong et al. 2014, arXiv:1501.00092",
          .signature = "conv1.weight, conv2.weight, conv3.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
