// MI-GAN, inpainting on a phone (Sargsyan et al. 2023, ICCV, Fig. 3). Parameter names: the authors'
// inference Generator. x: [N,R,R,4] = [mask − 0.5, picture·mask], picture RGB in [-1,1], mask 1 where
// the picture is known and 0 in the hole; y: RGB in about [-1,1], [N,R,R,3], of the whole picture.
// R is fixed: noise of every resolution is part of the checkpoint.
//
//  x ─ fromrgb ─ encoder.bR /2 ─ ... ─ b8 /2 ─ b4 ┐      encoder: conv1 ─┬─ conv2 /2 ─
//                     │               │      │   │                      └ features
//                synthesis.bR x2 ─ ... ─ b8 x2 ─ b4      synthesis: conv1 x2 ─(+ features)─ conv2 ─┬─
//                     │               │      │                                               torgb
//  y ───────────────(+)─ x2 ─ ... ─ (+)─ x2 ─┘
//
// Every convolution is separable: depthwise 3x3, then 1x1, an activation behind each.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

/// Leaky ReLU times √2, which keeps the variance, and no larger than 256 (StyleGAN2's).
inline Tensor migan_activation(const Tensor& x) { return clamp(1.41421356f * lrelu(x), -256, 256); }

/// Half the size, or twice: the blur [1,3,3,1] in both directions, from or into every second pixel.
struct MiganResample {
  MiganResample(const Scope& p, int channels, bool enlarges);

  Tensor operator()(const Tensor& x) const;

  Tensor filter;  // {channels,4,4,1}
  bool enlarges;
};

/// Depthwise 3x3 ─ (half the size) ─ 1x1 ─ (twice the size) ─ (+ noise)
struct MiganConv {
  struct Options {
    bool halves = false, doubles = false;
    int noise = 0;  // resolution of the noise that is added; 0: none
  };

  MiganConv(const Scope& p, int in, int out, const Options& options);

  Tensor operator()(const Tensor& x) const {
    Tensor y = migan_activation(conv1(x));
    if (downsample) y = (*downsample)(y);
    y = conv2(y);
    if (upsample) y = (*upsample)(y);
    if (noise_const) y = y + noise_const * noise_strength;
    return migan_activation(y);
  }

  Conv2d conv1;
  std::optional<MiganResample> downsample;
  Conv2d conv2;
  std::optional<MiganResample> upsample;
  Tensor noise_const, noise_strength;  // {1,R,R,1} and {1,1,1,1}, or absent
};

struct MiganEncoderBlock {
  struct Result {
    Tensor x, features;
  };

  MiganEncoderBlock(const Scope& p, int in, int out, bool halves)
      : conv1(p / "conv1", in, in, {}), conv2(p / "conv2", in, out, {.halves = halves}) {}

  Result operator()(const Tensor& x) const {
    const Tensor features = conv1(x);
    return {conv2(features), features};
  }

  MiganConv conv1, conv2;
};

/// The smallest block of the synthesis has neither enlargement nor noise: `resolution` 0.
struct MiganSynthesisBlock {
  MiganSynthesisBlock(const Scope& p, int in, int out, int resolution)
      : conv1(p / "conv1", in, out, {.doubles = resolution > 0, .noise = resolution}),
        conv2(p / "conv2", out, out, {.noise = resolution}),
        torgb(p / "torgb", out, 3, 1) {
    if (resolution > 0) upsample.emplace(p / "upsample", 3, true);
  }

  /// `rgb` is the picture so far, and becomes the next one; absent in the first block.
  Tensor operator()(const Tensor& x, const Tensor& features, Tensor& rgb) const {
    const Tensor y = conv2(conv1(x) + features);
    rgb = upsample ? (*upsample)(rgb) + torgb(y) : torgb(y);
    return y;
  }

  MiganConv conv1, conv2;
  Conv2d torgb;
  std::optional<MiganResample> upsample;
};

struct MiGan {
  struct Hyper {
    int resolution = 256, ch_base = 32768, ch_max = 512;

    int channels(int size) const { return std::min(ch_base / size, ch_max); }
  };

  MiGan(const Scope& p, const Hyper& hyper)
      : resolution(hyper.resolution),
        fromrgb(p / "encoder" / block_name(resolution) / "fromrgb", 4, hyper.channels(resolution),
                1) {
    for (int size = resolution; size >= 4; size /= 2) {
      const int next = std::max(size / 2, 4);
      encoder.emplace_back(p / "encoder" / block_name(size), hyper.channels(size),
                           hyper.channels(next), size > 4);
    }
    for (int size = 4; size <= resolution; size *= 2) {
      const int before = std::max(size / 2, 4);
      synthesis.emplace_back(p / "synthesis" / block_name(size), hyper.channels(before),
                             hyper.channels(size), size > 4 ? size : 0);
    }
  }

  Tensor operator()(const Tensor& x) const {
    Tensor y = migan_activation(fromrgb(x));
    std::vector<Tensor> features;  // from resolution R down to 4
    for (const MiganEncoderBlock& block : encoder) {
      const auto [next, kept] = block(y);
      features.push_back(kept);
      y = next;
    }
    Tensor rgb;
    for (const MiganSynthesisBlock& block : synthesis) {
      y = block(y, features.back(), rgb);
      features.pop_back();
    }
    return rgb;
  }

  static std::string block_name(int size) { return "b" + std::to_string(size); }

  int resolution;
  Conv2d fromrgb;
  std::vector<MiganEncoderBlock> encoder;      // bR, ..., b8, b4
  std::vector<MiganSynthesisBlock> synthesis;  // b4, b8, ..., bR
};

Architecture migan();

}  // namespace mend
