#include "models/eccv16.h"

#include <fmt/format.h>

namespace mend {
namespace {

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int classes = extent(checkpoint, "model_out.weight", 1);
  std::vector<int> widths;
  for (int stage = 1; stage <= 7; ++stage) {
    widths.push_back(extent(checkpoint, fmt::format("model{}.0.weight", stage), 0));
  }
  widths.push_back(extent(checkpoint, "model8.0.weight", 1));  // a transposed convolution
  for (const int width : widths) {
    if (width == 0) return std::nullopt;
  }
  if (classes == 0 || extent(checkpoint, "model1.0.weight", 1) != 1) return std::nullopt;
  return Recognised{.fixed = {{"widths", widths}, {"classes", classes}, {"norm", "batch"}}};
}

Built make(const Scope& p, const Json& hyper) {
  ECCV16::Hyper h;
  for (std::size_t i = 0; i < h.widths.size(); ++i) h.widths[i] = hyper.at("widths")[i].get<int>();
  h.classes = integer(hyper, "classes", 1, 4096);
  Traits traits(TilePolicy::kWholeImage);
  traits.tasks = {"colorize"};
  traits.colour = Colour::kLightness;
  traits.white = 100;
  traits.working_size = 256;
  traits.input_channels = 1;
  return {traits, image_to_image(ECCV16(p, h))};
}

}  // namespace

Architecture eccv16() {
  return {.name = "eccv16",
          .title = "ECCVGenerator",
          .paper = "Zhang et al. 2016, Colorful Image Colorization, arXiv:1603.08511",
          .signature = "model1.0.weight [.,1,3,3], model8.0.weight, model_out.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
