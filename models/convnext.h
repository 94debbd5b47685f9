// ConvNeXt, the encoder of DDColor (Liu et al. 2022, arXiv:2201.03545, Fig. 4).
// Parameter names: the authors' ConvNeXt, with DDColor's norm after each stage.
//
//  x ─ 4x4 /4 ─ LN ─ stage 0 ─┬─ LN ─ 2x2 /2 ─ stage 1 ─┬─ LN ─ 2x2 /2 ─ stage 2 ─┬─ ... stage 3 ─┬
//                           norm0                      norm1                    norm2           norm3
#pragma once

#include <string>
#include <vector>

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "layers/layer_norm.h"
#include "layers/linear.h"

namespace mend {

///  ─┬─ depthwise 7x7 ─ LN ─ linear x4 ─ GELU ─ linear ─ gamma · ─(+)─
///   └───────────────────────────────────────────────────────────┘
struct ConvNeXtBlock {
  ConvNeXtBlock(const Scope& p, int dim)
      : dwconv(p / "dwconv", dim, dim, 7, {.groups = dim}),
        norm(p / "norm", dim, kLayerNorm2dEpsilon),
        pwconv1(p / "pwconv1", dim, 4 * dim),
        pwconv2(p / "pwconv2", 4 * dim, dim),
        gamma(p.vector("gamma", dim)) {}

  Tensor operator()(const Tensor& x) const {
    return x + gamma * pwconv2(gelu(pwconv1(norm(dwconv(x)))));
  }

  Conv2d dwconv;
  LayerNorm norm;
  Linear pwconv1, pwconv2;
  Tensor gamma;  // {1,1,1,dim}
};

struct ConvNeXt {
  struct Stage {
    Conv2d down;
    LayerNorm down_norm;
    std::vector<ConvNeXtBlock> blocks;
    LayerNorm norm;  // of what leaves the encoder here; the next stage takes it without
  };

  ConvNeXt(const Scope& p, const std::vector<int>& depths, const std::vector<int>& dims)
      : norm(p / "norm", dims.back(), kLayerNorm2dEpsilon) {
    for (int i = 0; i < 4; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const Scope down = p / "downsample_layers" / i;
      const int dim = dims[at], before = i == 0 ? 3 : dims[at - 1], step = i == 0 ? 4 : 2;
      // The first convolution comes before its norm, the others behind.
      const Scope conv = down / (i == 0 ? 0 : 1), down_norm = down / (i == 0 ? 1 : 0);
      stages.push_back({Conv2d(conv, before, dim, step, {.stride = step, .padding = 0}),
                        LayerNorm(down_norm, i == 0 ? dim : before, kLayerNorm2dEpsilon),
                        {},
                        LayerNorm(p / ("norm" + std::to_string(i)), dim, kLayerNorm2dEpsilon)});
      for (int block = 0; block < depths[at]; ++block) {
        stages.back().blocks.emplace_back(p / "stages" / i / block, dim);
      }
    }
  }

  /// The normed features of the four stages, of 1/4, 1/8, 1/16 and 1/32 of the size.
  std::vector<Tensor> operator()(const Tensor& x) const {
    std::vector<Tensor> features;
    Tensor y = x;
    for (const Stage& stage : stages) {
      y = features.empty() ? stage.down_norm(stage.down(y)) : stage.down(stage.down_norm(y));
      for (const ConvNeXtBlock& block : stage.blocks) y = block(y);
      features.push_back(stage.norm(y));
    }
    return features;
  }

  std::vector<Stage> stages;
  LayerNorm norm;  // of the classifier; loaded, but nothing here needs it
};

}  // namespace mend
