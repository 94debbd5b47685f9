#include "models/mimo_unet.h"

#include <memory>

namespace mend {
namespace {

constexpr int kSmallest = 4;  // a reflection of up to 3 pixels needs 4
constexpr int kPlusBlocks = 20;

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int base = extent(checkpoint, "feat_extract.0.main.0.weight", 0);
  const int blocks =
      static_cast<int>(indices(checkpoint, "Encoder.0.layers.", "main.0.main.0.weight").size());
  if (base == 0 || blocks == 0 || !has(checkpoint, "SCM1.main.0.main.0.weight")) {
    return std::nullopt;
  }
  // MIMO-UNet+ is the same network with more blocks; training it dropped features out.
  return Recognised{.fixed = {{"base_channel", base}, {"num_res", blocks}},
                    .defaults = {{"cls", blocks == kPlusBlocks ? "MIMOUNetPlus" : "MIMOUNet"}}};
}

Built make(const Scope& p, const Json& hyper) {
  MIMOUNet::Hyper h;
  h.base_channel = integer(hyper, "base_channel", 2, 1024);
  h.num_res = integer(hyper, "num_res", 1, 1024);
  choice(hyper, "cls", {"MIMOUNet", "MIMOUNetPlus"});
  Traits traits(TilePolicy::kExactHalo);
  traits.tasks = {"deblur"};
  traits.smallest = kSmallest;
  traits.outputs = {"output", "half", "quarter"};
  const auto net = std::make_shared<const MIMOUNet>(p, h);
  return {traits, [net](const std::vector<Tensor>& inputs) { return (*net)(inputs[0]); }};
}

}  // namespace

Architecture mimo_unet() {
  return {.name = "mimo_unet",
          .title = "MIMOUNet",
          .paper = "Cho et al. 2021, arXiv:2108.05054",
          .signature = "feat_extract.0.main.0.weight, SCM1.main.0.main.0.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
