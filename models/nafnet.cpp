#include "models/nafnet.h"

#include <fmt/format.h>

#include <cstdint>

#include "engine/error.h"

namespace mend {
namespace {

// A level more doubles the channels, so a file cannot have many.
constexpr int kMostLevels = 10;

/// "encoders" -> the numbers of blocks in encoders.0, encoders.1, ...
Json block_counts(const Checkpoint& checkpoint, const std::string& path, int levels) {
  Json counts = Json::array();
  for (int i = 0; i < levels; ++i) {
    const std::string level = path + "." + std::to_string(i) + ".";
    counts.push_back(indices(checkpoint, level, "conv1.weight").size());
  }
  return counts;
}

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int width = extent(checkpoint, "intro.weight", 0);
  const int channels = extent(checkpoint, "intro.weight", 1);
  const int levels = static_cast<int>(indices(checkpoint, "downs.").size());
  if (width == 0 || channels == 0 || levels == 0 || levels > kMostLevels ||
      !has(checkpoint, "ups.0.0.weight") || !has(checkpoint, "ending.weight")) {
    return std::nullopt;
  }
  Recognised recognised;
  recognised.fixed = {
      {"img_channel", channels},
      {"width", width},
      {"middle_blk_num", indices(checkpoint, "middle_blks.", "conv1.weight").size()},
      {"enc_blk_nums", block_counts(checkpoint, "encoders", levels)},
      {"dec_blk_nums", block_counts(checkpoint, "decoders", levels)}};
  // TLC's is an option of whoever runs the network; an empty base_size: 1.5 · train_size.
  recognised.defaults = {
      {"cls", "NAFNet"}, {"train_size", {1, 3, 256, 256}}, {"base_size", Json::array()}};
  return recognised;
}

/// The released networks: SIDD's has 12 blocks in the middle, those of GoPro and REDS 28 before.
std::vector<std::string> tasks_of(const NAFNet::Hyper& hyper) {
  if (hyper.middle_blk_num == 12) return {"denoise"};
  if (hyper.enc_blk_nums.back() == 28) return {"deblur"};
  return {"deblur", "denoise"};
}

Built make(const Scope& p, const Json& hyper) {
  NAFNet::Hyper h;
  h.img_channel = integer(hyper, "img_channel", 1, 64);
  h.width = integer(hyper, "width", 1, 1024);
  h.middle_blk_num = integer(hyper, "middle_blk_num", 0, 1024);
  h.enc_blk_nums = integers(hyper, "enc_blk_nums", 0, 1024);
  h.dec_blk_nums = integers(hyper, "dec_blk_nums", 0, 1024);
  if (h.enc_blk_nums.size() != h.dec_blk_nums.size()) {
    throw CheckpointError(fmt::format("NAFNet: {} encoders, but {} decoders", h.enc_blk_nums.size(),
                                      h.dec_blk_nums.size()));
  }
  h.local = choice(hyper, "cls", {"NAFNet", "NAFNetLocal"}) == "NAFNetLocal";
  const std::vector<int> train = integers(hyper, "train_size", 1, 1 << 15, 4);
  h.train = {train[2], train[3]};
  h.base = {h.train.h * 3 / 2, h.train.w * 3 / 2};
  if (!hyper.at("base_size").empty()) {
    const std::vector<int> base = integers(hyper, "base_size", 1, 1 << 15, 2);
    h.base = {base[0], base[1]};
  }
  // With TLC the means are of windows of a known size; smaller pictures are not cut anyway.
  Traits traits(h.local ? TilePolicy::kExactHalo : TilePolicy::kWholeImage);
  traits.tasks = tasks_of(h);
  traits.input_channels = h.img_channel;
  traits.colour = h.img_channel == 1 ? Colour::kGray : Colour::kRgb;
  NAFNet net(p, h);
  if (h.local) return {traits, image_to_image(std::move(net))};
  NAFNet local = net;
  h.local = true;
  local.take_means(h);
  return {traits,
          image_to_image(std::move(net)),
          {.name = fmt::format("NAFNetLocal, whose means are of {}x{} pixels (arXiv:2112.04491)",
                               h.base.w, h.base.h),
           .forward = image_to_image(std::move(local))}};
}

}  // namespace

std::optional<MeanWindow> NAFNet::window_at(const Hyper& hyper, int level) {
  if (!hyper.local) return std::nullopt;
  const auto window = [&](int train, int base) {
    const int padder = 1 << hyper.enc_blk_nums.size();
    const std::int64_t map = (train + padder - 1) / padder * padder >> level;
    return static_cast<int>(map * base / train);
  };
  return MeanWindow{window(hyper.train.h, hyper.base.h), window(hyper.train.w, hyper.base.w)};
}

void NAFNet::take_means(const Hyper& hyper) {
  const int levels = static_cast<int>(encoders.size());
  const auto take = [&](Blocks& blocks, int level) {
    for (NAFBlock& block : blocks) block.sca.window = window_at(hyper, level);
  };
  for (int i = 0; i < levels; ++i) {
    take(encoders[std::size_t(i)], i);
    take(decoders[std::size_t(i)], levels - i - 1);
  }
  take(middle_blks, levels);
}

Architecture nafnet() {
  return {.name = "nafnet",
          .title = "NAFNet",
          .paper = "Chen et al. 2022, arXiv:2204.04676; TLC: Chu et al. 2022, arXiv:2112.04491",
          .signature = "intro.weight, downs.0.weight, ups.0.0.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
