// The generator of StyleGAN2 (Karras et al. 2020, arXiv:1912.04958, Fig. 2) as GFPGAN has it, with
// spatial feature transforms. Parameter names: the authors' StyleGAN2GeneratorCSFT, "clean" version.
//
//  constant_input ─ style_conv1 ─┬─ style_convs[0] x2 ─ SFT ─ style_convs[1] ─┬─ ...
//                             to_rgb1                                     to_rgbs[0]
//                                └──────────── x2 ───────────────────────────(+)── x2 ...  ─ y
//
// SFT: features · scale + shift, from outside; with sft_half only the second half of the channels.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "layers/functions.h"
#include "layers/linear.h"
#include "models/architecture.h"

namespace mend {

/// A kernel that is stored [K, C, R, S] in any extents -> {K,R,S,C}. `stored` is what the file has.
Tensor restored_kernel(const Scope& p, const std::vector<std::int64_t>& stored, int K, int C,
                       int side);

/// A convolution whose input channels each picture scales by its style, and whose outputs are then
/// brought to unit variance (`demodulate`; equations 1 and 3). With `doubles` the picture is
/// enlarged before, bilinearly: after the scaling here, while it is a quarter as large.
struct ModulatedConv2d {
  struct Options {
    int kernel = 3;
    bool demodulate = true, doubles = false;
  };

  ModulatedConv2d(const Scope& p, int in, int out, int style, const Options& options);

  /// x [N,H,W,in] or [1,H,W,in], style [N,1,1,style]; y is `gain` times the result.
  Tensor operator()(const Tensor& x, const Tensor& style, float gain = 1) const;

  Linear modulation;
  Tensor weight;  // {out,kernel,kernel,in}
  Options options;
};

/// conv ·√2 + noise ─ bias ─ leaky ReLU
struct StyleConv {
  StyleConv(const Scope& p, int in, int out, int style, bool doubles)
      : modulated_conv(p / "modulated_conv", in, out, style, {.doubles = doubles}),
        weight(p.vector("weight", 1)),
        bias(p.vector("bias", out)) {}

  Tensor operator()(const Tensor& x, const Tensor& style, const Tensor& noise) const {
    return lrelu(modulated_conv(x, style, 1.41421356f) + noise * weight + bias);
  }

  ModulatedConv2d modulated_conv;
  Tensor weight;  // {1,1,1,1}: how strong the noise is
  Tensor bias;    // {1,1,1,out}
};

/// The picture of this level, added to that of the level before, enlarged.
struct ToRgb {
  ToRgb(const Scope& p, int in, int style)
      : modulated_conv(p / "modulated_conv", in, 3, style, {.kernel = 1, .demodulate = false}),
        bias(p.vector("bias", 3)) {}

  Tensor operator()(const Tensor& x, const Tensor& style) const {
    return modulated_conv(x, style) + bias;
  }
  Tensor operator()(const Tensor& x, const Tensor& style, const Tensor& before) const {
    return (*this)(x, style) + resize_bilinear(before, x.shape().h, x.shape().w);
  }

  ModulatedConv2d modulated_conv;
  Tensor bias;
};

struct StyleGan2Hyper {
  int out_size = 512;  // a power of 2
  int num_style_feat = 512, num_mlp = 8;
  int channel_multiplier = 2;
  double narrow = 1;
  bool sft_half = true;

  /// 4·2^levels is out_size: all resolutions but the first.
  int levels() const;
  /// Channels at this resolution, of all that `share` of them is asked for.
  int channels(int size, double share = 1) const {
    const int full = size <= 32 ? 512 : 16384 / size * channel_multiplier;
    return scaled_width(full, narrow * share);
  }
};

struct StyleGan2GeneratorCsft {
  StyleGan2GeneratorCsft(const Scope& p, const StyleGan2Hyper& hyper);

  /// What a style code [N,1,1,num_style_feat] becomes before it is used (style_mlp); `normed` is
  /// the code with its numbers' mean square brought to 1.
  Tensor mapped(const Tensor& normed) const;

  /// styles: 2·levels + 2 of [N,1,1,num_style_feat]; scales and shifts: one a level, coarse to fine.
  /// -> [N,out_size,out_size,3]
  Tensor operator()(const std::vector<Tensor>& styles, const std::vector<Tensor>& scales,
                    const std::vector<Tensor>& shifts) const;

  bool sft_half;
  std::vector<Linear> style_mlp;
  Tensor constant_input;  // {1,4,4,C}
  StyleConv style_conv1;
  ToRgb to_rgb1;
  std::vector<StyleConv> style_convs;  // two a level
  std::vector<ToRgb> to_rgbs;
  std::vector<Tensor> noises;  // {1,R,R,1}: one for each style convolution
};

}  // namespace mend
