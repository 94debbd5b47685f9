// NAFNet (Chen et al. 2022, arXiv:2204.04676, Fig. 2d): a U-Net without activation functions.
// Parameter names: the authors' NAFNet. x: RGB in [0,1], [N,H,W,3]; y: like x, not clipped.
//
//  x ─┬─ intro ─ encoders.0 ─┬─ downs.0 ─ ... ─ middle_blks ─ ... ─ ups ─(+)─ decoders ─ ending ─(+)─ y
//     │                      └────────────────────────────────────────────┘                      │
//     └──────────────────────────────────────────────────────────────────────────────────────────┘
//
// The picture is continued with zeros to a multiple of 2^levels, and these zeros count in the means.
// NAFNetLocal (TLC, Chu et al. 2022, arXiv:2112.04491) has the same parameters; its means are taken
// over windows as large as 1.5 training pictures, so that a large picture is treated as they were.
#pragma once

#include <optional>
#include <vector>

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "layers/layer_norm.h"
#include "models/architecture.h"

namespace mend {

/// Rows and columns of the window of a local mean; none: the mean of the whole map.
struct MeanWindow {
  int h = 0, w = 0;
};

/// Halves of the channels, multiplied (Fig. 4c).
inline Tensor simple_gate(const Tensor& x) {
  const int half = x.shape().c / 2;
  return slice_channels(x, 0, half) * slice_channels(x, half, half);
}

/// Simplified channel attention (Fig. 4b): every channel weighed by what the means say.
struct SimplifiedChannelAttention {
  SimplifiedChannelAttention(const Scope& p, int channels) : conv(p / 1, channels, channels, 1) {}

  Tensor operator()(const Tensor& x) const {
    const bool whole = !window || (window->h >= x.shape().h && window->w >= x.shape().w);
    return x * conv(whole ? global_average_pool(x) : box_mean(x, window->h, window->w));
  }

  Conv2d conv;
  std::optional<MeanWindow> window;  // of NAFNetLocal
};

/// Fig. 3c: a depthwise convolution, then a pointwise network, both gated.
struct NAFBlock {
  NAFBlock(const Scope& p, int c)
      : norm1(p / "norm1", c, kLayerNorm2dEpsilon),
        conv1(p / "conv1", c, 2 * c, 1),
        conv2(p / "conv2", 2 * c, 2 * c, 3, {.groups = 2 * c}),
        sca(p / "sca", c),
        conv3(p / "conv3", c, c, 1),
        norm2(p / "norm2", c, kLayerNorm2dEpsilon),
        conv4(p / "conv4", c, 2 * c, 1),
        conv5(p / "conv5", c, c, 1),
        beta(p.vector("beta", c)),
        gamma(p.vector("gamma", c)) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor y = x + conv3(sca(simple_gate(conv2(conv1(norm1(x)))))) * beta;
    return y + conv5(simple_gate(conv4(norm2(y)))) * gamma;
  }

  LayerNorm norm1;
  Conv2d conv1, conv2;
  SimplifiedChannelAttention sca;
  Conv2d conv3;
  LayerNorm norm2;
  Conv2d conv4, conv5;
  Tensor beta, gamma;
};

struct NAFNet {
  struct Hyper {
    int img_channel = 3, width = 32;
    int middle_blk_num = 1;
    std::vector<int> enc_blk_nums = {1, 1, 1, 28}, dec_blk_nums = {1, 1, 1, 1};
    bool local = false;                        // NAFNetLocal
    MeanWindow train = {256, 256};             // height and width of training pictures
    MeanWindow base = {256 + 128, 256 + 128};  // the window at full resolution
  };

  using Blocks = std::vector<NAFBlock>;

  NAFNet(const Scope& p, const Hyper& hyper)
      : intro(p / "intro", hyper.img_channel, hyper.width),
        ending(p / "ending", hyper.width, hyper.img_channel) {
    const int levels = static_cast<int>(hyper.enc_blk_nums.size());
    padder_size = 1 << levels;
    const auto blocks = [&](const Scope& path, int count, int level) {
      Blocks list;
      for (int i = 0; i < count; ++i) list.emplace_back(path / i, hyper.width << level);
      return list;
    };
    for (int i = 0; i < levels; ++i) {
      const int c = hyper.width << i;
      encoders.push_back(blocks(p / "encoders" / i, hyper.enc_blk_nums[std::size_t(i)], i));
      downs.emplace_back(p / "downs" / i, c, 2 * c, 2, Conv2dOptions{.stride = 2, .padding = 0});
    }
    middle_blks = blocks(p / "middle_blks", hyper.middle_blk_num, levels);
    for (int i = 0; i < levels; ++i) {
      const int c = hyper.width << (levels - i);
      ups.emplace_back(p / "ups" / i / 0, c, 2 * c, 1, Conv2dOptions{.bias = false});
      decoders.push_back(
          blocks(p / "decoders" / i, hyper.dec_blk_nums[std::size_t(i)], levels - i - 1));
    }
    take_means(hyper);
  }

  Tensor operator()(const Tensor& x) const {
    const auto run = [](const Blocks& blocks, Tensor y) {
      for (const NAFBlock& block : blocks) y = block(y);
      return y;
    };
    const Tensor whole = pad_to_multiple(x, padder_size, PadMode::kConstant);
    Tensor y = intro(whole);
    std::vector<Tensor> skips;
    for (std::size_t i = 0; i < encoders.size(); ++i) {
      skips.push_back(run(encoders[i], y));
      y = downs[i](skips.back());
    }
    y = run(middle_blks, y);
    for (std::size_t i = 0; i < decoders.size(); ++i) {
      y = run(decoders[i], pixel_shuffle(ups[i](y), 2) + skips[skips.size() - 1 - i]);
    }
    return crop(ending(y) + whole, 0, 0, x.shape().h, x.shape().w);
  }

  /// Over windows or whole maps from now on, as `hyper` says.
  void take_means(const Hyper& hyper);
  /// The window at a level: the part of a map that `base` is of a training picture.
  static std::optional<MeanWindow> window_at(const Hyper& hyper, int level);

  Conv2d intro, ending;
  std::vector<Blocks> encoders;
  std::vector<Conv2d> downs;
  Blocks middle_blks;
  std::vector<Conv2d> ups;
  std::vector<Blocks> decoders;
  int padder_size;
};

Architecture nafnet();

}  // namespace mend
