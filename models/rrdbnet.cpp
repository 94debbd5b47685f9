#include "models/rrdbnet.h"

#include <algorithm>

namespace mend {
namespace {

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int features = extent(checkpoint, "conv_first.weight", 0);
  const int in = extent(checkpoint, "conv_first.weight", 1);
  const int out = extent(checkpoint, "conv_last.weight", 0);
  const int growth = extent(checkpoint, "body.0.rdb1.conv1.weight", 0);
  if (features == 0 || in == 0 || out == 0 || growth == 0) return std::nullopt;
  // Four or sixteen times as many input as output channels: the picture comes unshuffled.
  const int root = in > out && in % out == 0 ? whole_root(in / out) : 0;
  const int unshuffle = std::max(1, root);
  int enlarged = 1;
  for (int i = 1; i <= 4 && has(checkpoint, "conv_up" + std::to_string(i) + ".weight"); ++i) {
    enlarged *= 2;
  }
  if (enlarged % unshuffle != 0) return std::nullopt;
  const std::vector<int> blocks = indices(checkpoint, "body.", "rdb1.conv1.weight");
  return Recognised{.fixed = {{"num_in_ch", in / (unshuffle * unshuffle)},
                              {"num_out_ch", out},
                              {"scale", enlarged / unshuffle},
                              {"num_feat", features},
                              {"num_block", blocks.back() + 1},
                              {"num_grow_ch", growth},
                              {"unshuffle", unshuffle},
                              {"plus", has(checkpoint, "body.0.rdb1.conv1x1.weight")}}};
}

/// The halo of tiles, in pixels; the receptive field of 23 blocks is 349, and most of it weighs
/// nothing. Worst error of the output, in grey levels of 255, on photographs, by halo (random
/// weights; tests/restore/overlap_test.cpp):
///
///                                            4      8     12     16     24     32
///   23 blocks, 64 features, x4             0.9   0.01   0.00
///   the same, weights of the body x2.5     118   24.4    4.8   0.47   0.00
///   23 blocks, unshuffled by 2              42   0.98   0.07   0.01   0.00
///   small, unshuffled by 2                 132    1.9   0.36   0.04   0.00
///   small, unshuffled by 4                 293    228   22.1    2.5   0.46   0.04
///
/// So 8 would do for random weights. Trained ones look further: of SRVGGNetCompact, whose random
/// weights reach half a level between 16 and 24 too, the published ones (realesr-general-x4v3) need
/// 24, where their worst error is 0.38. Hence 24, and 32 for pictures that are unshuffled first.
int overlap(int unshuffle) { return unshuffle > 1 ? 32 : 24; }

Built make(const Scope& p, const Json& hyper) {
  RRDBNet::Hyper h;
  h.num_in_ch = integer(hyper, "num_in_ch", 1, 64);
  h.num_out_ch = integer(hyper, "num_out_ch", 1, 64);
  h.scale = integer(hyper, "scale", 1, 16);
  h.num_feat = integer(hyper, "num_feat", 1, 4096);
  h.num_block = integer(hyper, "num_block", 1, 1024);
  h.num_grow_ch = integer(hyper, "num_grow_ch", 1, 4096);
  h.unshuffle = integer(hyper, "unshuffle", 1, 8);
  h.plus = flag(hyper, "plus");
  Traits traits(TilePolicy::kExactHalo);
  traits.tasks = {"upscale"};
  if (h.scale == 1) traits.tasks = {"denoise", "dejpeg"};
  traits.scale = h.scale;
  traits.input_channels = h.num_in_ch;
  traits.colour = h.num_in_ch == 1 ? Colour::kGray : Colour::kRgb;
  traits.smallest = h.unshuffle;  // a reflection adds at most unshuffle - 1 pixels
  traits.overlap = overlap(h.unshuffle);
  return {traits, image_to_image(RRDBNet(p, h))};
}

}  // namespace

Architecture rrdbnet() {
  return {.name = "rrdbnet",
          .title = "RRDBNet",
          .paper = "Wang et al. 2018, ESRGAN, arXiv:1809.00219",
          .signature = "body.0.rdb1.conv1.weight",
          .aliases = {{"in_nc", "num_in_ch"},
                      {"out_nc", "num_out_ch"},
                      {"nf", "num_feat"},
                      {"num_filters", "num_feat"},
                      {"nb", "num_block"},
                      {"num_blocks", "num_block"},
                      {"gc", "num_grow_ch"},
                      {"sf", "scale"}},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
