#include "models/siggraph17.h"

#include <fmt/format.h>

#include "engine/error.h"

namespace mend {
namespace {

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  std::vector<int> widths;
  for (int stage = 1; stage <= 7; ++stage) {
    widths.push_back(extent(checkpoint, fmt::format("model{}.0.weight", stage), 0));
  }
  for (int stage = 8; stage <= 10; ++stage) {
    widths.push_back(extent(checkpoint, fmt::format("model{}up.0.weight", stage), 1));
  }
  for (const int width : widths) {
    if (width == 0) return std::nullopt;
  }
  const int classes = extent(checkpoint, "model_class.0.weight", 0);
  if (classes == 0 || extent(checkpoint, "model1.0.weight", 1) != 4) return std::nullopt;
  return Recognised{.fixed = {{"widths", widths}, {"classes", classes}}};
}

/// The network on L*, or on L* with hints; without them nothing is known of the colours.
std::vector<Tensor> colorize(const SIGGRAPH17& net, const std::vector<Tensor>& inputs) {
  const auto [n, h, w, c] = inputs[0].shape();
  if (h % 8 != 0 || w % 8 != 0) {
    throw ShapeError(fmt::format("SIGGRAPHGenerator: sides must be multiples of 8, but input is {}",
                                 to_string(inputs[0].shape())));
  }
  if (inputs.size() == 2) {
    throw ShapeError("SIGGRAPHGenerator: takes both ab and mask, or none of them");
  }
  if (inputs.size() == 3) return {net(inputs[0], inputs[1], inputs[2])};
  return {net(inputs[0], Tensor::zeros({n, h, w, 2}), Tensor::zeros({n, h, w, 1}))};
}

Built make(const Scope& p, const Json& hyper) {
  SIGGRAPH17::Hyper h;
  for (std::size_t i = 0; i < h.widths.size(); ++i) h.widths[i] = hyper.at("widths")[i].get<int>();
  h.classes = integer(hyper, "classes", 1, 4096);
  Traits traits(TilePolicy::kWholeImage);
  traits.tasks = {"colorize"};
  traits.colour = Colour::kLightness;
  traits.white = 100;
  traits.working_size = 256;
  traits.input_channels = 1;
  traits.smallest = 8;
  traits.condition = Condition::kColourHints;
  traits.inputs = {"input", "ab", "mask"};
  traits.optional_inputs = 2;
  const auto net = std::make_shared<const SIGGRAPH17>(p, h);
  return {traits, [net](const std::vector<Tensor>& inputs) { return colorize(*net, inputs); }};
}

}  // namespace

Architecture siggraph17() {
  return {.name = "siggraph17",
          .title = "SIGGRAPHGenerator",
          .paper = "Zhang et al. 2017, Real-Time User-Guided Image Colorization, arXiv:1705.02999",
          .signature = "model1.0.weight [.,4,3,3], model8up.0.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
