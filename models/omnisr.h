// Omni-SR (Wang et al. 2023, arXiv:2304.10244, Fig. 3). Parameter names: the authors' OmniSR.
// x: RGB in [0,1], [N,H,W,3]; y: [N,sH,sW,3], not clipped. The picture is continued by black pixels
// below and to the right up to a multiple of the window.
//
//  x ─ input ─┬─ OSAG ... OSAG ─ output ─(+)─ up: conv ─ pixel shuffle s ─ y
//             └──────────────────────────┘
//  OSAG:   ─┬─ OSA block ... ─ 1x1 ─(+)─ ESA ─
//           └───────────────────────┘
//  OSA block:  MBConv ─ meso: window attention ─ GDFN ─ channel attention in windows ─ GDFN
//                     ─ global: the same two with dilated windows ─        (residuals around all)
#pragma once

#include <optional>
#include <vector>

#include "layers/channel_attention.h"
#include "layers/conv2d.h"
#include "layers/functions.h"
#include "layers/layer_norm.h"
#include "layers/window_attention.h"
#include "models/architecture.h"
#include "models/rlfn.h"  // ESA

namespace mend {

struct OmniSRHyper {
  int num_in_ch = 3, num_out_ch = 3, num_feat = 64, up_scale = 4;
  int res_num = 5, block_num = 1, window_size = 8;
  int heads = 4, channel_heads = 4, esa_channels = 16;
  bool pe = true;  ///< relative position bias
  bool bias = true;
};

/// Local-convolution block with squeeze and excitation:
///   ─┬─ 1x1 ─ GELU ─ 3x3 depthwise ─ GELU ─ gate by the global mean ─ 1x1 ─(+)─
///    └─────────────────────────────────────────────────────────────────────┘
struct MBConv {
  MBConv(const Scope& p, int features);

  Tensor operator()(const Tensor& x) const;

  Conv2d fn_0, fn_2;
  Linear gate_1, gate_3;
  Conv2d fn_5;
};

/// Self-attention among the pixels of windows, contiguous or dilated.
struct OmniSpatialAttention {
  OmniSpatialAttention(const Scope& p, bool dilated, const OmniSRHyper& hyper);

  Tensor operator()(const Tensor& x) const;

  LayerNorm norm;
  Linear to_qkv;
  std::optional<RelativePositionBias> rel_pos_bias;
  Linear to_out;
  op::WindowAttention call;
};

/// Self-attention among channels, over the pixels of each window, or over those that are as far
/// apart as a window is wide.
struct OmniChannelAttention {
  OmniChannelAttention(const Scope& p, bool dilated, const OmniSRHyper& hyper);

  Tensor operator()(const Tensor& x) const;

  LayerNorm norm;
  TransposedAttention fn;
  int window_size;
  bool dilated;
};

struct OmniFeedForward {
  OmniFeedForward(const Scope& p, int features)
      : norm(p / "norm", features, kLayerNorm2dEpsilon),
        fn(p / "fn", features, features, /*bias=*/false) {}

  Tensor operator()(const Tensor& x) const { return x + fn(norm(x)); }

  LayerNorm norm;
  GatedDconv fn;
};

/// Omni self-attention: pixels, channels; near by, then far apart.
struct OSABlock {
  OSABlock(const Scope& p, const OmniSRHyper& hyper)
      : mbconv(p / 0 / "fn", hyper.num_feat),
        meso_spatial(p / 2, false, hyper),
        meso_spatial_ffn(p / 4, hyper.num_feat),
        meso_channel(p / 5, false, hyper),
        meso_channel_ffn(p / 6, hyper.num_feat),
        global_spatial(p / 8, true, hyper),
        global_spatial_ffn(p / 10, hyper.num_feat),
        global_channel(p / 11, true, hyper),
        global_channel_ffn(p / 12, hyper.num_feat) {}

  Tensor operator()(const Tensor& x) const {
    Tensor y = mbconv(x);
    y = meso_channel_ffn(meso_channel(meso_spatial_ffn(meso_spatial(y))));
    return global_channel_ffn(global_channel(global_spatial_ffn(global_spatial(y))));
  }

  MBConv mbconv;
  OmniSpatialAttention meso_spatial;
  OmniFeedForward meso_spatial_ffn;
  OmniChannelAttention meso_channel;
  OmniFeedForward meso_channel_ffn;
  OmniSpatialAttention global_spatial;
  OmniFeedForward global_spatial_ffn;
  OmniChannelAttention global_channel;
  OmniFeedForward global_channel_ffn;
};

/// Omni-scale aggregation group.
struct OSAG {
  OSAG(const Scope& p, const OmniSRHyper& hyper)
      : conv(p / "residual_layer" / hyper.block_num, hyper.num_feat, hyper.num_feat, 1,
             {.bias = hyper.bias}),
        esa(p / "esa", hyper.num_feat, hyper.esa_channels) {
    for (int i = 0; i < hyper.block_num; ++i) {
      blocks.emplace_back(p / "residual_layer" / i / "layer", hyper);
    }
  }

  Tensor operator()(const Tensor& x) const {
    Tensor y = x;
    for (const OSABlock& block : blocks) y = block(y);
    return esa(conv(y) + x);
  }

  std::vector<OSABlock> blocks;
  Conv2d conv;
  ESA esa;
};

struct OmniSR {
  OmniSR(const Scope& p, const OmniSRHyper& hyper);

  Tensor operator()(const Tensor& x) const;

  int window_size, up_scale;
  Conv2d input;
  std::vector<OSAG> residual_layer;
  Conv2d output, up;
};

Architecture omnisr();

}  // namespace mend
