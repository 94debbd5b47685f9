// RetinexFormer (Cai et al. 2023, arXiv:2303.06705, Fig. 2). Parameter names: the authors'
// RetinexFormer. x: dark RGB in [0,1], [N,H,W,3]; y: like x, not clipped. The picture is mirrored
// below and to the right up to a multiple of 4.
//
//  stage:      x ─ estimator ─ illumination features, map;   lit = x·map + x ─ denoiser ─ y
//  estimator:  [x, mean of x] ─ conv1 1x1 ─ depth_conv 5x5 ─ features ─ conv2 1x1 ─ map
//  denoiser:   lit ─┬─ embedding ─ IGAB ─┬─ down ─ IGAB ─┬─ down ─ bottleneck ─ up [,] fusion ─ IGAB ─ up [,] fusion ─ IGAB ─ mapping ─(+)─ y
//                   │                    │               └──────────────────────────┘                        │                           │
//                   │                    └───────────────────────────────────────────────────────────────────┘                           │
//                   └────────────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
//              the illumination features go down beside, and guide every IGAB at their scale
//  IGAB:       (─┬─ IG-MSA ─(+)─┬─ norm ─ feed forward ─(+)─) x num_blocks
//                └──────────────┘└───────────────────────┘
#pragma once

#include <vector>

#include "kernels/attention/attention.h"
#include "layers/conv2d.h"
#include "layers/conv_transpose2d.h"
#include "layers/functions.h"
#include "layers/layer_norm.h"
#include "layers/linear.h"
#include "models/architecture.h"

namespace mend {

struct RetinexFormerHyper {
  int in_channels = 3, out_channels = 3, n_feat = 40, stage = 1;
  std::vector<int> num_blocks = {1, 2, 2};  // at full, half and quarter size
};

struct IlluminationEstimator {
  struct Result {
    Tensor features, map;
  };

  IlluminationEstimator(const Scope& p, int channels, int features);

  Result operator()(const Tensor& x) const;

  Tensor averaging;  // {1,1,1,channels}: as a 1x1 convolution it gives the mean of the channels
  Conv2d conv1, depth_conv, conv2;
};

/// Illumination-guided attention among channels: the values are weighed by the illumination
/// features. The scores are those of keys to queries, transposed as against Restormer's.
struct IGMSA {
  IGMSA(const Scope& p, int dim, int heads);

  Tensor operator()(const Tensor& x, const Tensor& illumination) const;

  Linear to_q, to_k, to_v;
  Tensor rescale;  // {1,1,1,heads}
  Linear proj;
  Conv2d pos_emb_0, pos_emb_2;
  op::ChannelAttention call;
};

/// One attention and one feed-forward network, norm ─ 1x1 ─ GELU ─ 3x3 depthwise ─ GELU ─ 1x1.
struct IGABlock {
  IGABlock(const Scope& p, int dim, int heads);

  Tensor operator()(const Tensor& x, const Tensor& illumination) const;

  IGMSA attention;
  LayerNorm norm;
  Conv2d net_0, net_2, net_4;
};

/// Illumination-guided attention blocks at one scale.
struct IGAB {
  IGAB(const Scope& p, int dim, int heads, int count) {
    for (int i = 0; i < count; ++i) blocks.emplace_back(p / "blocks" / i, dim, heads);
  }

  Tensor operator()(Tensor x, const Tensor& illumination) const {
    for (const IGABlock& block : blocks) x = block(x, illumination);
    return x;
  }

  std::vector<IGABlock> blocks;
};

struct RetinexDenoiser {
  struct Encoder {
    IGAB igab;
    Conv2d down, illumination_down;
  };
  struct Decoder {
    ConvTranspose2d up;
    Conv2d fusion;
    IGAB igab;
  };

  RetinexDenoiser(const Scope& p, const RetinexFormerHyper& hyper);

  Tensor operator()(const Tensor& x, const Tensor& illumination) const;

  Conv2d embedding;
  std::vector<Encoder> encoder_layers;
  IGAB bottleneck;
  std::vector<Decoder> decoder_layers;
  Conv2d mapping;
};

struct RetinexFormer {
  struct Stage {
    IlluminationEstimator estimator;
    RetinexDenoiser denoiser;
  };

  RetinexFormer(const Scope& p, const RetinexFormerHyper& hyper);

  Tensor operator()(const Tensor& x) const;

  std::vector<Stage> body;
};

Architecture retinexformer();

}  // namespace mend
