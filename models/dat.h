// DAT, the dual aggregation transformer (Chen et al. 2023, arXiv:2308.03364, Fig. 2).
// Parameter names: the authors' DAT. x: RGB in [0,1], [N,H,W,3]; y: [N,sH,sW,3], not clipped.
//
//  x ─ (−mean)·range ─ conv_first ─┬─ norm ─ group ... group ─ norm ─ conv_after_body ─(+)─ Reconstruction ─ /range + mean ─ y
//                                  └───────────────────────────────────────────────────┘
//  group:  ─┬─ DSTB ─ DCTB ─ DSTB ─ DCTB ... ─ conv ─(+)─
//           └────────────────────────────────────────┘
//  block:  ─┬─ norm1 ─ attn ─(+)─┬─ norm2 ─ ffn (SGFN) ─(+)─
//           └────────────────────┘└──────────────────────┘
//  attn of a DSTB: attention among pixels of windows, half the channels in a x b, half in b x a;
//  of a DCTB: attention among channels. Beside it runs a depthwise convolution of the values, and
//  each of the two gates the other (adaptive interaction):
//
//    qkv ─┬─ attention ─┬─(x)──── gate by the other path ─(+)─ proj ─
//         └─ v ─ dwconv ┴─(x)──── gate by the other path ──┘
#pragma once

#include <vector>

#include "kernels/attention/attention.h"
#include "layers/batch_norm2d.h"
#include "layers/dynamic_position_bias.h"
#include "layers/layer_norm.h"
#include "layers/linear.h"
#include "models/reconstruction.h"

namespace mend {

struct DATHyper {
  Reconstruction::Hyper reconstruction;
  std::vector<int> depth = {6, 6, 6, 6, 6, 6}, num_heads = {6, 6, 6, 6, 6, 6};
  std::vector<int> split_size = {8, 32};  // rows and columns of a window
  double expansion_factor = 4;
  std::string resi_connection = "1conv";
  bool qkv_bias = true;
  float img_range = 1;
};

/// Spatial-gate feed-forward: fc1 ─ GELU ─ [a|b] ─ a · depthwise 3x3 (norm(b)) ─ fc2.
struct SGFN {
  SGFN(const Scope& p, int dim, int hidden);

  Tensor operator()(const Tensor& x) const;

  Linear fc1;
  LayerNorm sg_norm;
  Conv2d sg_conv;
  Linear fc2;
};

/// The convolution beside the attention, and the gates: a number for each channel from the global
/// mean of x, a number for each pixel from its channels.
struct AdaptiveInteraction {
  AdaptiveInteraction(const Scope& p, int dim);

  Tensor convolve(const Tensor& v) const { return gelu(dwconv_1(dwconv_0(v))); }
  /// [N,1,1,C] in (0,1)
  Tensor channel_gate(const Tensor& x) const;
  /// [N,H,W,1] in (0,1)
  Tensor spatial_gate(const Tensor& x) const;

  Conv2d dwconv_0;
  BatchNorm2d dwconv_1;
  Conv2d channel_1;
  BatchNorm2d channel_2;
  Conv2d channel_4, spatial_0;
  BatchNorm2d spatial_1;
  Conv2d spatial_3;
};

/// Attention of half the channels among the pixels of rectangular windows.
struct RectangleAttention {
  RectangleAttention(const Scope& p, int dim, int heads, int window_h, int window_w, bool shifted);

  /// q, k, v {N,H,W,dim}; H and W are multiples of the window.
  Tensor operator()(const Tensor& q, const Tensor& k, const Tensor& v) const;

  DynamicPositionBias pos;
  op::WindowAttention call;
};

/// Adaptive spatial self-attention.
struct AdaptiveSpatialAttention {
  AdaptiveSpatialAttention(const Scope& p, int heads, bool shifted, const DATHyper& hyper);

  Tensor operator()(const Tensor& x) const;

  int multiple;  // of height and width inside: the longer side of the windows
  Linear qkv;
  RectangleAttention upright, lying;  // attns.0 and .1
  AdaptiveInteraction interaction;
  Linear proj;
};

/// Adaptive channel self-attention.
struct AdaptiveChannelAttention {
  AdaptiveChannelAttention(const Scope& p, int heads, const DATHyper& hyper);

  Tensor operator()(const Tensor& x) const;

  Linear qkv;
  Tensor temperature;  // {1,1,1,heads}
  AdaptiveInteraction interaction;
  Linear proj;
  op::ChannelAttention call;
};

/// norm1 ─ attention ─ norm2 ─ SGFN, each pair with a residual.
template <class Attention>
struct DualBlock {
  template <class... Args>
  DualBlock(const Scope& p, const DATHyper& hyper, Args... args)
      : norm1(p / "norm1", hyper.reconstruction.embed_dim),
        attn(p / "attn", args..., hyper),
        norm2(p / "norm2", hyper.reconstruction.embed_dim),
        ffn(p / "ffn", hyper.reconstruction.embed_dim,
            scaled_width(hyper.reconstruction.embed_dim, hyper.expansion_factor)) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor y = x + attn(norm1(x));
    return y + ffn(norm2(y));
  }

  LayerNorm norm1;
  Attention attn;
  LayerNorm norm2;
  SGFN ffn;
};
using DSTB = DualBlock<AdaptiveSpatialAttention>;
using DCTB = DualBlock<AdaptiveChannelAttention>;

/// Spatial and channel blocks in turns: blocks 0, 2, 4 ... are DSTB, 1, 3, 5 ... DCTB.
struct DATGroup {
  DATGroup(const Scope& p, int group, const DATHyper& hyper);

  Tensor operator()(const Tensor& x) const;

  std::vector<DSTB> spatial;
  std::vector<DCTB> channel;
  ResidualConv conv;
};

struct DAT {
  DAT(const Scope& p, const DATHyper& hyper);

  Tensor operator()(const Tensor& x) const;

  float img_range;
  Tensor mean;
  Conv2d conv_first;
  LayerNorm before_RG;
  std::vector<DATGroup> layers;
  LayerNorm norm;
  ResidualConv conv_after_body;
  Reconstruction reconstruction;
};

Architecture dat();

}  // namespace mend
