#include "models/dmphn.h"

#include <algorithm>

namespace mend {
namespace {

constexpr int kSmallest = 8;  // a reflection of up to 7 pixels needs 8

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  Json channels = Json::array();
  for (const char* layer : {"layer1", "layer5", "layer9"}) {
    const int width = extent(checkpoint, std::string("encoder_lv3.") + layer + ".weight", 0);
    if (width == 0) return std::nullopt;
    channels.push_back(width);
  }
  if (!has(checkpoint, "decoder_lv1.layer24.weight")) return std::nullopt;
  return Recognised{.fixed = {{"channels", channels}, {"levels", 3}, {"patches", {1, 2, 4}}}};
}

Built make(const Scope& p, const Json& hyper) {
  DMPHN::Hyper h;
  const std::vector<int> channels = integers(hyper, "channels", 1, 4096, 3);
  std::copy(channels.begin(), channels.end(), h.channels);
  Traits traits(TilePolicy::kWholeImage);
  traits.tasks = {"deblur"};
  traits.smallest = kSmallest;
  traits.tiles_change = "it cuts the picture into halves and quarters itself";
  return {traits, image_to_image(DMPHN(p, h))};
}

}  // namespace

Architecture dmphn() {
  return {.name = "dmphn",
          .title = "DMPHN",
          .paper = "Zhang et al. 2019, arXiv:1904.03468",
          .signature = "encoder_lv3.layer1.weight, decoder_lv1.layer24.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
