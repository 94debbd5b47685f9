// HiT-SRF (Zhang, Zhang & Yu 2024, "HiT-SR: Hierarchical Transformer for Efficient Image
// Super-Resolution", arXiv:2407.05878, Fig. 2). Parameter names: the authors' HiT_SRF.
// x: RGB in [0,1], [N,H,W,3]; y: [N,sH,sW,3], not clipped.
//
//  x ─ (−mean)·range ─ conv_first ─┬─ norm ─ group ... group ─ norm ─ conv_after_body ─(+)─ Reconstruction ─ /range + mean ─ y
//                                  └───────────────────────────────────────────────────┘
//  group:  ─┬─ block ─ block ... ─ conv ─(+)─            the windows grow from block to block
//           └────────────────────────────┘
//  block:  ─┬─ correlation (SCC) ─ norm1 ─(+)─┬─ mlp ─ norm2 ─(+)─
//           └─────────────────────────────────┘└──────────────────┘
//  SCC:    qv ─ windows ─┬─ spatial correlation ─┬─ [,] ─ proj ─
//                        └─ channel correlation ─┘
#pragma once

#include <vector>

#include "layers/dynamic_position_bias.h"
#include "layers/layer_norm.h"
#include "layers/linear.h"
#include "models/reconstruction.h"

namespace mend {

struct HiTSRFHyper {
  Reconstruction::Hyper reconstruction;
  std::vector<int> depths = {6, 6, 6, 6}, num_heads = {6, 6, 6, 6};
  int base_win_size = 8;
  std::vector<float> hier_win_ratios = {0.5, 1, 2, 4, 6, 8};  // one a block
  double expansion_factor = 2;
  std::string resi_connection = "1conv";
  float img_range = 1;
};

/// Dual feature extraction: what a small convolution sees, times a linear map.
struct DFE {
  DFE(const Scope& p, int dim)
      : conv_0(p / "conv" / 0, dim, dim / 5, 1),
        conv_2(p / "conv" / 2, dim / 5, dim / 5),
        conv_4(p / "conv" / 4, dim / 5, dim, 1),
        linear(p / "linear", dim, dim, 1) {}

  Tensor operator()(const Tensor& x) const {
    return conv_4(lrelu(conv_2(lrelu(conv_0(x))))) * linear(x);
  }

  Conv2d conv_0, conv_2, conv_4, linear;
};

/// Spatial-channel correlation: attention without softmax, so its cost grows with the window's
/// pixels and not with their square.
struct SCC {
  SCC(const Scope& p, int dim, int heads, int window, int base_window);

  /// x: H and W are multiples of the window.
  Tensor operator()(const Tensor& x) const;
  /// Pixels of a window to its `base` x `base` cells, for each head. q, v [N,H,W,dim/2]; the cells'
  /// values are weighted sums of v.
  ///   y = (q·vᵀ / scale + bias)·v = q·(vᵀ·v) / scale + bias·v
  Tensor correlate_pixels(const Tensor& q, const Tensor& v) const;
  /// Channels to channels of a window: y = v·(vᵀ·q) / pixels.
  Tensor correlate_channels(const Tensor& q, const Tensor& v) const;
  /// The mean bias between a pixel and the pixels of a cell: [1,heads,pixels,cells].
  Tensor bias() const;

  int heads, window, base;
  DFE qv;
  Tensor spatial_weight;  // {1,s,s,1}: of the s·s pixels of a cell
  Tensor spatial_bias;    // {1,1,1,1}
  DynamicPositionBias pos;
  Linear proj;
};

/// fc1 ─ GELU ─┬─ 5x5 depthwise ─ GELU ─(+)─ fc2
///             └────────────────────────┘
struct HiTConvFFN {
  HiTConvFFN(const Scope& p, int dim, int hidden)
      : fc1(p / "fc1", dim, hidden),
        depthwise_conv(p / "dwconv" / "depthwise_conv" / 0, hidden, hidden, 5, {.groups = hidden}),
        fc2(p / "fc2", hidden, dim) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor y = gelu(fc1(x));
    return fc2(y + gelu(depthwise_conv(y)));
  }

  Linear fc1;
  Conv2d depthwise_conv;
  Linear fc2;
};

/// Hierarchical transformer block; it mirrors its features up to a multiple of its own window.
struct HierarchicalBlock {
  HierarchicalBlock(const Scope& p, int heads, int window, const HiTSRFHyper& hyper);

  Tensor operator()(const Tensor& x) const;

  SCC correlation;
  LayerNorm norm1;
  HiTConvFFN mlp;
  LayerNorm norm2;
};

struct HiTGroup {
  HiTGroup(const Scope& p, int depth, int heads, const HiTSRFHyper& hyper);

  Tensor operator()(const Tensor& x) const {
    Tensor y = x;
    for (const HierarchicalBlock& block : residual_group) y = block(y);
    return x + conv(y);
  }

  std::vector<HierarchicalBlock> residual_group;
  ResidualConv conv;
};

struct HiTSRF {
  HiTSRF(const Scope& p, const HiTSRFHyper& hyper);

  Tensor operator()(const Tensor& x) const;

  float img_range;
  Tensor mean;
  Conv2d conv_first;
  LayerNorm patch_embed;
  std::vector<HiTGroup> layers;
  LayerNorm norm;
  ResidualConv conv_after_body;
  Reconstruction reconstruction;
};

Architecture hit_srf();

}  // namespace mend
