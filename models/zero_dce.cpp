#include "models/zero_dce.h"

namespace mend {
namespace {

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int features = extent(checkpoint, "e_conv1.weight", 0);
  const int curves = extent(checkpoint, "e_conv7.weight", 0);
  if (features == 0 || curves == 0 || curves % 3 != 0) return std::nullopt;
  return Recognised{.fixed = {{"number_f", features}, {"iterations", curves / 3}}};
}

std::optional<Recognised> recognise_pp(const Checkpoint& checkpoint) {
  const int features = extent(checkpoint, "e_conv1.point_conv.weight", 0);
  if (features == 0 || extent(checkpoint, "e_conv7.point_conv.weight", 0) != 3) {
    return std::nullopt;
  }
  return Recognised{.fixed = {{"number_f", features}},
                    .defaults = {{"iterations", 8}, {"scale_factor", 1}}};
}

Traits brightener() {
  Traits traits(TilePolicy::kExactHalo);
  traits.tasks = {"lowlight"};
  return traits;
}

Built make(const Scope& p, const Json& hyper) {
  Traits traits = brightener();
  traits.outputs = {"output", "enhance_image_1", "r"};
  const auto net = std::make_shared<const ZeroDCE>(p, integer(hyper, "number_f", 1, 4096),
                                                   integer(hyper, "iterations", 1, 1024));
  return {traits, [net](const std::vector<Tensor>& inputs) { return (*net)(inputs[0]); }};
}

Built make_pp(const Scope& p, const Json& hyper) {
  Traits traits = brightener();
  traits.outputs = {"output", "r"};
  const int scale_factor = integer(hyper, "scale_factor", 1, 64);
  traits.smallest = scale_factor;
  if (scale_factor > 1) {
    traits.tile_policy = TilePolicy::kWholeImage;
    traits.tiles_change = "the curves are drawn on a reduced picture";
  }
  const auto net = std::make_shared<const ZeroDCEPlusPlus>(
      p, integer(hyper, "number_f", 1, 4096), integer(hyper, "iterations", 1, 64), scale_factor);
  return {traits, [net](const std::vector<Tensor>& inputs) { return (*net)(inputs[0]); }};
}

}  // namespace

Architecture zero_dce() {
  return {.name = "zero_dce",
          .title = "Zero-DCE",
          .paper = "Guo et al. 2020, arXiv:2001.06826",
          .signature = "e_conv1.weight, e_conv7.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

Architecture zero_dce_pp() {
  return {.name = "zero_dce_pp",
          .title = "Zero-DCE++",
          .paper = "Li et al. 2021, arXiv:2103.00860",
          .signature = "e_conv1.depth_conv.weight",
          .aliases = {},
          .recognise = recognise_pp,
          .make = make_pp};
}

}  // namespace mend
