// Restormer (Zamir et al. 2022, arXiv:2111.09881, Fig. 2). Parameter names: the authors' Restormer.
// x: RGB or gray in [0,1], or the 6 channels of a dual-pixel camera's two views, [N,H,W,C];
// y: [N,H,W,3 or 1], not clipped. The picture is mirrored below and to the right up to a multiple
// of 8, as the authors' scripts do.
//
//  x ─┬─ patch_embed ─ encoder_level1 ─┬──────────────────────── [,] ─ decoder_level1 ─ refinement ─ output ─(+)─ y
//     │                        down1_2 └ encoder_level2 ─┬─ [,] reduce ─ decoder_level2 ┘ up2_1                │
//     │                                          down2_3 └ encoder_level3 ─┬─ [,] reduce ─ decoder_level3 ┘ up3_2
//     │                                                            down3_4 └ latent ┘ up4_3                    │
//     └────────────────────────────────────────────────────────────────────────────────────────────────────────┘
//  block:  ─┬─ norm1 ─ attn (MDTA) ─(+)─┬─ norm2 ─ ffn (GDFN) ─(+)─
//           └───────────────────────────┘└─────────────────────────┘
//  dual pixel: skip_conv of the first features is added before `output`, and x is not.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "layers/channel_attention.h"
#include "models/architecture.h"

namespace mend {

struct RestormerHyper {
  int inp_channels = 3, out_channels = 3, dim = 48;
  std::vector<int> num_blocks = {4, 6, 6, 8}, heads = {1, 2, 4, 8};
  int num_refinement_blocks = 4;
  double ffn_expansion_factor = 2.66;
  bool bias = false, with_bias_norm = true, dual_pixel_task = false;
};

/// The "WithBias" layer norm is the usual one. "BiasFree" has no bias, and divides by the deviation
/// without subtracting the mean.
struct RestormerNorm {
  RestormerNorm(const Scope& p, int dim, bool with_bias);

  Tensor operator()(const Tensor& x) const;

  Tensor weight, bias;  // {1,1,1,dim}; bias absent if BiasFree
};

struct TransformerBlock {
  TransformerBlock(const Scope& p, int dim, int heads, const RestormerHyper& hyper)
      : norm1(p / "norm1" / "body", dim, hyper.with_bias_norm),
        attn(p / "attn", dim, heads, hyper.bias),
        norm2(p / "norm2" / "body", dim, hyper.with_bias_norm),
        ffn(p / "ffn", dim, scaled_width(dim, hyper.ffn_expansion_factor), hyper.bias) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor y = x + attn(norm1(x));
    return y + ffn(norm2(y));
  }

  RestormerNorm norm1;
  TransposedAttention attn;
  RestormerNorm norm2;
  GatedDconv ffn;
};

/// Transformer blocks at one scale.
struct RestormerLevel {
  RestormerLevel(const Scope& p, int dim, int heads, int depth, const RestormerHyper& hyper) {
    for (int i = 0; i < depth; ++i) blocks.emplace_back(p / i, dim, heads, hyper);
  }

  Tensor operator()(Tensor x) const {
    for (const TransformerBlock& block : blocks) x = block(x);
    return x;
  }

  std::vector<TransformerBlock> blocks;
};

struct Restormer {
  Restormer(const Scope& p, const RestormerHyper& hyper);

  Tensor operator()(const Tensor& x) const;
  /// H and W are multiples of 8.
  Tensor restore(const Tensor& x) const;

  Conv2d patch_embed;
  RestormerLevel encoder_level1;
  Conv2d down1_2;  // to half the channels, then a pixel unshuffle
  RestormerLevel encoder_level2;
  Conv2d down2_3;
  RestormerLevel encoder_level3;
  Conv2d down3_4;
  RestormerLevel latent;
  Conv2d up4_3;  // to twice the channels, then a pixel shuffle
  Conv2d reduce_chan_level3;
  RestormerLevel decoder_level3;
  Conv2d up3_2, reduce_chan_level2;
  RestormerLevel decoder_level2;
  Conv2d up2_1;
  RestormerLevel decoder_level1, refinement;
  std::optional<Conv2d> skip_conv;
  Conv2d output;
};

Architecture restormer();

}  // namespace mend
