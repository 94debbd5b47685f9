#include "models/upcunet.h"

namespace mend {
namespace {

constexpr int kSmallest = 20;  // a reflection of up to 19 pixels needs 20

/// "unet1.conv2" -> [in, mid, out, reduced]; empty if a convolution is missing.
Json widths_of(const Checkpoint& checkpoint, const std::string& path) {
  const int in = extent(checkpoint, path + ".conv.0.weight", 1);
  const int mid = extent(checkpoint, path + ".conv.0.weight", 0);
  const int out = extent(checkpoint, path + ".conv.2.weight", 0);
  if (in == 0 || mid == 0 || out == 0) return {};
  return {in, mid, out, extent(checkpoint, path + ".seblock.conv1.weight", 0)};
}

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  Recognised recognised;
  // A 4x4 transposed convolution ends the first U-Net of x2; x3 has 5x5, x4 more layers.
  if (extent(checkpoint, "unet1.conv_bottom.weight", 2) != 4 ||
      has(checkpoint, "conv_final.weight")) {
    return std::nullopt;
  }
  recognised.fixed["cls"] = "UpCunet2x";
  recognised.fixed["pro"] = has(checkpoint, "pro");
  Json unet1 = Json::array(), unet2 = Json::array();
  for (const char* name : {"conv1", "conv2"}) {
    unet1.push_back(widths_of(checkpoint, std::string("unet1.") + name));
  }
  for (const char* name : {"conv1", "conv2", "conv3", "conv4"}) {
    unet2.push_back(widths_of(checkpoint, std::string("unet2.") + name));
  }
  for (const Json* unet : {&unet1, &unet2}) {
    for (const Json& widths : *unet) {
      if (widths.empty()) return std::nullopt;
    }
  }
  recognised.fixed["unet1"] = unet1;
  recognised.fixed["unet2"] = unet2;
  return recognised;
}

UNetConv::Widths widths(const Json& list) { return {list[0], list[1], list[2], list[3]}; }

Built make(const Scope& p, const Json& hyper) {
  UpCunet2x::Hyper h;
  for (std::size_t i = 0; i < 2; ++i) h.unet1[i] = widths(hyper.at("unet1")[i]);
  for (std::size_t i = 0; i < 4; ++i) h.unet2[i] = widths(hyper.at("unet2")[i]);
  h.pro = hyper.at("pro").get<bool>();
  p.ignore("pro");  // a flag: that it is there says all
  Traits traits;
  traits.tasks = {"upscale"};
  traits.scale = 2;
  traits.smallest = kSmallest;
  return {traits, image_to_image(UpCunet2x(p, h))};
}

}  // namespace

Architecture upcunet() {
  return {.name = "upcunet",
          .title = "UpCunet2x",
          .paper = "nagadomi 2018, waifu2x; bilibili 2022, Real-CUGAN",
          .signature = "unet1.conv_bottom.weight 4x4",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
