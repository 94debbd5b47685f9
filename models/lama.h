// LaMa, inpainting by fast Fourier convolutions (Suvorov et al. 2022, arXiv:2109.07161, Fig. 2;
// FFC: Chi et al. 2020, NeurIPS). Parameter names: the authors' FFCResNetGenerator.
// x: RGB in [0,1], [N,H,W,3]; mask: 1 in the hole, else 0, [N,H,W,1]; y: [N,H,W,3], x outside of it.
//
//  [x·(1−mask), mask] ─ 7x7 ─ (3x3 /2) x n ─ FFC block x n_blocks ─ (deconv x2) x n ─ 7x7 ─ sigmoid ─ y
//
//  FFC:  local  ─┬─ convl2l ──(+)─ bn_l ─ ReLU     Fourier unit, over the whole picture:
//                └─ convl2g ─╲╱─                     ─┬─ FFT ─ 1x1 ─ BN ─ ReLU ─ inverse FFT ─(+)─
//                ┌─ convg2l ─╱╲─                      └───────────────────────────────────────┘
//        global ─┴─ convg2g ──(+)─ bn_g ─ ReLU     convg2g: 1x1 ─ BN ─ ReLU ─ Fourier unit ─ 1x1
//
// All convolutions mirror the border. Sides that are no multiples of 2ⁿ are mirrored up to them.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "layers/batch_norm2d.h"
#include "layers/conv2d.h"
#include "layers/conv_transpose2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

constexpr Conv2dOptions kMirrored = {.bias = false, .padding_mode = PaddingMode::kReflect};

/// How many channels are local and how many see the whole picture.
struct FFCChannels {
  int local, global = 0;
};

/// The features of both kinds; `global` is absent before the first split.
struct FFCFeatures {
  Tensor local, global;
};

/// Mixes the channels of the spectrum, so that one 1x1 convolution sees the whole picture.
struct FourierUnit {
  FourierUnit(const Scope& p, int channels)
      : conv_layer(p / "conv_layer", 2 * channels, 2 * channels, 1, {.bias = false}),
        bn(p / "bn", 2 * channels) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor spectrum = real_fft2(x, FftNorm::kOrtho);  // [N,H,W/2+1,2C], pairs (re, im)
    return inverse_real_fft2(relu(bn(conv_layer(spectrum))), x.shape().w, FftNorm::kOrtho);
  }

  Conv2d conv_layer;
  BatchNorm2d bn;
};

struct SpectralTransform {
  SpectralTransform(const Scope& p, int in, int out)
      : conv1_0(p / "conv1" / 0, in, out / 2, 1, {.bias = false}),
        conv1_1(p / "conv1" / 1, out / 2),
        fu(p / "fu", out / 2),
        conv2(p / "conv2", out / 2, out, 1, {.bias = false}) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor y = relu(conv1_1(conv1_0(x)));
    return conv2(y + fu(y));
  }

  Conv2d conv1_0;
  BatchNorm2d conv1_1;
  FourierUnit fu;
  Conv2d conv2;
};

/// FFC, batch norm and ReLU (the authors' FFC_BN_ACT). Paths from or to no channels are absent.
struct FFC {
  FFC(const Scope& p, FFCChannels in, FFCChannels out, int kernel, const Conv2dOptions& options)
      : convl2l(p / "ffc" / "convl2l", in.local, out.local, kernel, options),
        bn_l(p / "bn_l", out.local) {
    const Scope ffc = p / "ffc";
    if (out.global > 0) {
      convl2g.emplace(ffc / "convl2g", in.local, out.global, kernel, options);
      bn_g.emplace(p / "bn_g", out.global);
    }
    if (in.global > 0) {
      convg2l.emplace(ffc / "convg2l", in.global, out.local, kernel, options);
      if (out.global > 0) convg2g.emplace(ffc / "convg2g", in.global, out.global);
    }
  }

  FFCFeatures operator()(const FFCFeatures& x) const {
    Tensor local = convl2l(x.local);
    if (convg2l) local = local + (*convg2l)(x.global);
    local = relu(bn_l(local));
    if (!convl2g) return {local, Tensor()};
    Tensor global = (*convl2g)(x.local);
    if (convg2g) global = global + (*convg2g)(x.global);
    return {local, relu((*bn_g)(global))};
  }

  Conv2d convl2l;
  std::optional<Conv2d> convl2g, convg2l;
  std::optional<SpectralTransform> convg2g;
  BatchNorm2d bn_l;
  std::optional<BatchNorm2d> bn_g;
};

struct FFCResnetBlock {
  FFCResnetBlock(const Scope& p, FFCChannels channels)
      : conv1(p / "conv1", channels, channels, 3, kMirrored),
        conv2(p / "conv2", channels, channels, 3, kMirrored) {}

  FFCFeatures operator()(const FFCFeatures& x) const {
    const FFCFeatures y = conv2(conv1(x));
    return {x.local + y.local, x.global + y.global};
  }

  FFC conv1, conv2;
};

/// Entries `index` and `index` + 1 of the official nn.Sequential, and a ReLU.
struct LaMaUpsample {
  LaMaUpsample(const Scope& model, int index, int in, int out)
      : conv(model / index, in, out, 3, {.stride = 2, .padding = 1, .output_padding = 1}),
        bn(model / (index + 1), out) {}

  Tensor operator()(const Tensor& x) const { return relu(bn(conv(x))); }

  ConvTranspose2d conv;
  BatchNorm2d bn;
};

struct LaMa {
  struct Hyper {
    int input_nc = 4, output_nc = 3;
    int ngf = 64, n_downsampling = 3, n_blocks = 18, max_features = 1024;
    float ratio_g = 0.75f;  // the share of the global channels between the two U-turns
  };

  /// Channels after `level` halvings.
  static FFCChannels channels(const Hyper& hyper, int level) {
    const int all = static_cast<int>(
        std::min(std::int64_t{hyper.ngf} << level, std::int64_t{hyper.max_features}));
    if (level < hyper.n_downsampling) return {all};
    // A little more than ratio_g: as a quotient of whole numbers it may be rounded down.
    const int global = static_cast<int>(static_cast<float>(all) * hyper.ratio_g + 1e-3f);
    return {all - global, global};
  }

  LaMa(const Scope& p, const Hyper& hyper)
      : first(p / "model" / 1, {hyper.input_nc}, channels(hyper, 0), 7, kMirrored),
        last(p / "model" / (4 + 4 * hyper.n_downsampling + hyper.n_blocks), hyper.ngf,
             hyper.output_nc, 7, {.padding_mode = PaddingMode::kReflect}) {
    const Scope model = p / "model";
    const int levels = hyper.n_downsampling;
    const Conv2dOptions halving = {
        .stride = 2, .padding = 1, .bias = false, .padding_mode = PaddingMode::kReflect};
    for (int i = 0; i < levels; ++i) {
      down.emplace_back(model / (2 + i), channels(hyper, i), channels(hyper, i + 1), 3, halving);
    }
    for (int i = 0; i < hyper.n_blocks; ++i) {
      blocks.emplace_back(model / (2 + levels + i), channels(hyper, levels));
    }
    for (int i = 0; i < levels; ++i) {  // after one entry that joins both kinds of channels
      const FFCChannels in = channels(hyper, levels - i), out = channels(hyper, levels - i - 1);
      up.emplace_back(model, 3 + levels + hyper.n_blocks + 3 * i, in.local + in.global, out.local);
    }
  }

  Tensor operator()(const Tensor& x, const Tensor& mask) const {
    const Tensor known = affine(mask, -1, 1);
    const Tensor seen = concat({x * known, mask});
    const int multiple = 1 << down.size();
    FFCFeatures features = first({pad_to_multiple(seen, multiple, PadMode::kSymmetric), Tensor()});
    for (const FFC& layer : down) features = layer(features);
    for (const FFCResnetBlock& block : blocks) features = block(features);
    Tensor y = concat({features.local, features.global});
    for (const LaMaUpsample& layer : up) y = layer(y);
    y = crop(sigmoid(last(y)), 0, 0, x.shape().h, x.shape().w);
    return mask * y + known * x;
  }

  FFC first;
  std::vector<FFC> down;
  std::vector<FFCResnetBlock> blocks;
  std::vector<LaMaUpsample> up;
  Conv2d last;
};

Architecture lama();

}  // namespace mend
