// SPAN (Wan et al. 2024, arXiv:2311.12770, Fig. 2), winner of the NTIRE 2024 efficiency track.
// Parameter names: the authors' SPAN. x: RGB in [0,1], [N,H,W,3]; y: [N,sH,sW,3], not clipped.
//
//  x ─ normalise ─ conv_1 ─┬─ block_1 ─┬─ ... ─ block_6 ─ conv_2 ─ concat ─ conv_cat ─ upsampler ─ y
//                          │           │          │ └─ (after c1_r) ──┘││
//                          │           └──────────┼────────────────────┘│
//                          └──────────────────────┴─────────────────────┘
//
// Training had three convolutions in a row and a skip where there is one: Conv3XC.
#pragma once

#include <utility>
#include <vector>

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

/// 1x1, 3x3 and 1x1 convolutions in a row plus a 1x1 beside them, merged into one 3x3 with zeros
/// around: at the borders that is not what the three would give, but what the authors' code does.
///   weight = conv.2 · conv.1 · conv.0 + sk (in the middle),   bias likewise
/// A file that has only the merged `eval_conv` will do; where both are there, it may be stale.
struct Conv3XC {
  Conv3XC(const Scope& p, int in, int out);

  Tensor operator()(const Tensor& x) const { return apply(call, {x, weight, bias}); }

  Tensor weight;  // {out,3,3,in}
  Tensor bias;    // {1,1,1,out}
  op::Conv2d call;
};

/// Swift parameter-free attention block: the features weigh themselves by sigmoid(f) − 1/2 (Fig. 2).
struct SPAB {
  SPAB(const Scope& p, int channels)
      : c1_r(p / "c1_r", channels, channels),
        c2_r(p / "c2_r", channels, channels),
        c3_r(p / "c3_r", channels, channels) {}

  /// -> the block's output, and the activated features after c1_r
  std::pair<Tensor, Tensor> operator()(const Tensor& x) const {
    const Tensor shallow = silu(c1_r(x));
    const Tensor deep = c3_r(silu(c2_r(shallow)));
    return {(deep + x) * (sigmoid(deep) - 0.5f), shallow};
  }

  Conv3XC c1_r, c2_r, c3_r;
};

struct SPAN {
  struct Hyper {
    int num_in_ch = 3, num_out_ch = 3, feature_channels = 48, upscale = 4;
    int num_blocks = 6;
    float img_range = 255;
    std::vector<float> rgb_mean = {0.4488f, 0.4371f, 0.4040f};
  };

  SPAN(const Scope& p, const Hyper& h)
      : mean(Tensor::from(vector_shape(static_cast<int>(h.rgb_mean.size())), h.rgb_mean)),
        img_range(h.img_range),
        upscale(h.upscale),
        conv_1(p / "conv_1", h.num_in_ch, h.feature_channels),
        conv_2(p / "conv_2", h.feature_channels, h.feature_channels),
        conv_cat(p / "conv_cat", 4 * h.feature_channels, h.feature_channels, 1),
        upsampler(p / "upsampler" / 0, h.feature_channels, h.num_out_ch * upscale * upscale) {
    for (int i = 1; i <= h.num_blocks; ++i) {
      block.emplace_back(p / ("block_" + std::to_string(i)), h.feature_channels);
    }
  }

  Tensor operator()(const Tensor& x) const {
    const Tensor first = conv_1((x - mean) * img_range);
    const Tensor b1 = block.front()(first).first;
    Tensor y = b1, shallow;
    for (std::size_t i = 1; i < block.size(); ++i) std::tie(y, shallow) = block[i](y);
    return pixel_shuffle(upsampler(conv_cat(concat({first, conv_2(y), b1, shallow}))), upscale);
  }

  Tensor mean;
  float img_range;
  int upscale;
  Conv3XC conv_1;
  std::vector<SPAB> block;  // block_1, block_2, ...
  Conv3XC conv_2;
  Conv2d conv_cat, upsampler;
};

Architecture span();

}  // namespace mend
