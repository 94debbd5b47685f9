// EDSR (Lim et al. 2017, arXiv:1707.02921, Fig. 3). Parameter names: BasicSR's EDSR.
// x: RGB in [0,1], [N,H,W,3]; y: [N,sH,sW,3], not clipped.
//
//  x ─ (−mean)·range ─ conv_first ─┬─ block x num_block ─ conv_after_body ─(+)─ upsample
//                                  └────────────────────────────────────────┘     ─ conv_last ─ /range + mean ─ y
//  block:     ─┬─ conv1 ─ ReLU ─ conv2 ─ ·res_scale ─(+)─
//              └─────────────────────────────────────┘
//  upsample:  (conv ─ shuffle 2) once or twice, or conv ─ shuffle 3
#pragma once

#include <vector>

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

/// A residual block without batch norm.
struct ResidualBlockNoBN {
  ResidualBlockNoBN(const Scope& p, int features, float scale)
      : conv1(p / "conv1", features, features),
        conv2(p / "conv2", features, features),
        res_scale(scale) {}

  Tensor operator()(const Tensor& x) const { return x + res_scale * conv2(relu(conv1(x))); }

  Conv2d conv1, conv2;
  float res_scale;
};

struct EDSR {
  struct Hyper {
    int num_in_ch = 3, num_out_ch = 3, num_feat = 64, num_block = 16, upscale = 4;
    float res_scale = 1;
    float img_range = 255;
    std::vector<float> rgb_mean = {0.4488f, 0.4371f, 0.4040f};
  };

  EDSR(const Scope& p, const Hyper& hyper)
      : img_range(hyper.img_range),
        mean(Tensor::from(vector_shape(hyper.num_in_ch), hyper.rgb_mean)),
        conv_first(p / "conv_first", hyper.num_in_ch, hyper.num_feat),
        conv_after_body(p / "conv_after_body", hyper.num_feat, hyper.num_feat),
        factor(hyper.upscale == 3 ? 3 : 2),
        conv_last(p / "conv_last", hyper.num_feat, hyper.num_out_ch) {
    for (int i = 0; i < hyper.num_block; ++i) {
      body.emplace_back(p / "body" / i, hyper.num_feat, hyper.res_scale);
    }
    for (int left = hyper.upscale; left > 1; left /= factor) {  // every other entry is a shuffle
      upsample.emplace_back(p / "upsample" / (2 * static_cast<int>(upsample.size())),
                            hyper.num_feat, hyper.num_feat * factor * factor);
    }
  }

  Tensor operator()(const Tensor& x) const {
    const Tensor shallow = conv_first((x - mean) * img_range);
    Tensor deep = shallow;
    for (const ResidualBlockNoBN& block : body) deep = block(deep);
    Tensor y = shallow + conv_after_body(deep);
    for (const Conv2d& conv : upsample) y = pixel_shuffle(conv(y), factor);
    return conv_last(y) * (1 / img_range) + mean;
  }

  float img_range;
  Tensor mean;
  Conv2d conv_first;
  std::vector<ResidualBlockNoBN> body;
  Conv2d conv_after_body;
  std::vector<Conv2d> upsample;
  int factor;
  Conv2d conv_last;
};

Architecture edsr();

}  // namespace mend
