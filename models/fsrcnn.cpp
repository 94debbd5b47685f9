#include "models/fsrcnn.h"

namespace mend {
namespace {

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int d = extent(checkpoint, "first_part.0.weight", 0);
  const int channels = extent(checkpoint, "first_part.0.weight", 1);
  const int s = extent(checkpoint, "mid_part.0.weight", 0);
  const std::vector<int> mid = indices(checkpoint, "mid_part.");
  const int last_kernel = extent(checkpoint, "last_part.weight", 2);
  if (d == 0 || channels == 0 || s == 0 || (last_kernel != 9 && last_kernel != 1)) {
    return std::nullopt;
  }
  // mid_part: a convolution and a PReLU at 0, at 2 ... 2m, and at 2m + 2.
  const int m = (mid.back() - 3) / 2;
  if (m < 0) return std::nullopt;
  if (last_kernel == 1) {
    const int outputs = extent(checkpoint, "last_part.weight", 0);
    const int scale = outputs % channels == 0 ? whole_root(outputs / channels) : 0;
    if (scale == 0) return std::nullopt;
    return Recognised{.fixed = {{"num_channels", channels},
                                {"d", d},
                                {"s", s},
                                {"m", m},
                                {"scale_factor", scale},
                                {"last_part", "pixel_shuffle"}},
                      .defaults = Json::object()};
  }
  return Recognised{
      .fixed = {{"num_channels", channels}, {"d", d}, {"s", s}, {"m", m}},
      // The stride of the last layer is in no shape, and the official constructor has no default.
      .defaults = {{"scale_factor", nullptr}}};
}

Built make(const Scope& p, const Json& hyper) {
  FSRCNN::Hyper h;
  h.scale_factor = integer(hyper, "scale_factor", 1, 8);
  h.num_channels = integer(hyper, "num_channels", 1, 4);
  h.d = integer(hyper, "d", 1, 4096);
  h.s = integer(hyper, "s", 1, 4096);
  h.m = integer(hyper, "m", 0, 1024);
  h.shuffles = hyper.contains("last_part");
  Traits traits(TilePolicy::kExactHalo);
  traits.tasks = {"upscale"};
  traits.scale = h.scale_factor;
  traits.input_channels = h.num_channels;
  traits.colour = h.num_channels == 1 ? Colour::kLuma : Colour::kRgb;
  return {traits, image_to_image(FSRCNN(p, h))};
}

}  // namespace

Architecture fsrcnn() {
  return {.name = "fsrcnn",
          .title = "FSRCNN",
          .paper = "Dong et al. 2016, arXiv:1608.00367",
          .signature = "first_part.0.weight, last_part.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
