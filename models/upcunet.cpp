#include "models/upcunet.h"

namespace mend {
namespace {

// A reflection of up to 19 pixels, and what makes an odd extent even, needs 21.
constexpr int kSmallest = 21;

/// "unet1.conv2" -> [in, mid, out, reduced]; empty if a convolution is missing.
Json widths_of(const Checkpoint& checkpoint, const std::string& path) {
  const int in = extent(checkpoint, path + ".conv.0.weight", 1);
  const int mid = extent(checkpoint, path + ".conv.0.weight", 0);
  const int out = extent(checkpoint, path + ".conv.2.weight", 0);
  if (in == 0 || mid == 0 || out == 0) return {};
  return {in, mid, out, extent(checkpoint, path + ".seblock.conv1.weight", 0)};
}

/// 0 if these are not the keys of any UpCunet.
int scale_of(const Checkpoint& checkpoint) {
  const int kernel = extent(checkpoint, "unet1.conv_bottom.weight", 2);
  if (kernel == 5) return 3;
  if (kernel != 4) return 0;
  return has(checkpoint, "conv_final.weight") ? 4 : 2;
}

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int scale = scale_of(checkpoint);
  const int channels = extent(checkpoint, "unet1.conv_bottom.weight", 1);
  if (scale == 0 || channels == 0) return std::nullopt;
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
  Recognised recognised;
  recognised.fixed = {{"cls", "UpCunet" + std::to_string(scale) + "x"},
                      {"unet1", unet1},
                      {"unet2", unet2},
                      {"channels", channels}};
  recognised.defaults = {{"alpha", 1.0}};
  // A key of this name says it, whatever its value; without one the configuration may.
  const bool pro = has(checkpoint, "pro");
  (pro ? recognised.fixed : recognised.defaults)["pro"] = pro;
  return recognised;
}

UNetConv::Widths widths(const Json& list) { return {list[0], list[1], list[2], list[3]}; }

Built make(const Scope& p, const Json& hyper) {
  UpCunet::Hyper h;
  h.scale = choice(hyper, "cls", {"UpCunet2x", "UpCunet3x", "UpCunet4x"})[7] - '0';
  for (std::size_t i = 0; i < 2; ++i) h.unet1[i] = widths(hyper.at("unet1")[i]);
  for (std::size_t i = 0; i < 4; ++i) h.unet2[i] = widths(hyper.at("unet2")[i]);
  h.channels = integer(hyper, "channels", 1, 4096);
  h.pro = flag(hyper, "pro");
  h.alpha = number(hyper, "alpha");
  p.ignore("pro");  // a flag: that it is there says all
  Traits traits(TilePolicy::kWholeImage);
  traits.tasks = {"upscale"};
  traits.scale = h.scale;
  traits.smallest = kSmallest;
  return {traits, image_to_image(UpCunet(p, h))};
}

}  // namespace

Architecture upcunet() {
  return {.name = "upcunet",
          .title = "UpCunet",
          .paper = "nagadomi 2018, waifu2x; bilibili 2022, Real-CUGAN",
          .signature = "unet1.conv_bottom.weight, unet2.conv4.conv.0.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
