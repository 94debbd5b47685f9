// RLFN (Kong et al. 2022, arXiv:2205.07514, Fig. 2), winner of the NTIRE 2022 runtime track.
// Parameter names: the authors' RLFN. x: RGB in [0,255], [N,H,W,3]; y: [N,sH,sW,3], not clipped.
//
//  x ─ conv_1 ─┬─ block_1 ─ ... ─ block_6 ─ conv_2 ─(+)─ upsampler: conv ─ pixel shuffle s ─ y
//              └─────────────────────────────────────┘
//  block: ─┬─ (3x3 ─ leaky 0.05) x 3 ─(+)─ c5 1x1 ─ ESA
//          └───────────────────────────┘
#pragma once

#include <vector>

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

/// Enhanced spatial attention: a gate for every pixel, seen from far away (Fig. 3).
///   ─┬─ conv1 ─┬─ conv2 /2 ─ max pool 7 /3 ─ conv3 ─ enlarge ─(+)─ conv4 ─ sigmoid ─(x)─
///    │         └─ conv_f ──────────────────────────────────────┘                     │
///    └────────────────────────────────────────────────────────────────────────────────┘
struct ESA {
  ESA(const Scope& p, int features, int channels)
      : conv1(p / "conv1", features, channels, 1),
        conv_f(p / "conv_f", channels, channels, 1),
        conv2(p / "conv2", channels, channels, 3, {.stride = 2, .padding = 0}),
        conv3(p / "conv3", channels, channels, 3),
        conv4(p / "conv4", channels, features, 1) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor few = conv1(x);
    const Tensor far = conv3(max_pool(conv2(few), 7, 3));
    const Tensor wide = resize_bilinear(far, x.shape().h, x.shape().w);
    return x * sigmoid(conv4(wide + conv_f(few)));
  }

  Conv2d conv1, conv_f, conv2, conv3, conv4;
};

/// Residual local feature block.
struct RLFB {
  RLFB(const Scope& p, int features, int esa_channels)
      : c1_r(p / "c1_r", features, features),
        c2_r(p / "c2_r", features, features),
        c3_r(p / "c3_r", features, features),
        c5(p / "c5", features, features, 1),
        esa(p / "esa", features, esa_channels) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor y = lrelu(c3_r(lrelu(c2_r(lrelu(c1_r(x), 0.05f)), 0.05f)), 0.05f);
    return esa(c5(y + x));
  }

  Conv2d c1_r, c2_r, c3_r, c5;
  ESA esa;
};

struct RLFN {
  struct Hyper {
    int in_channels = 3, out_channels = 3, feature_channels = 52, upscale = 4;
    int blocks = 6, esa_channels = 16;
  };

  RLFN(const Scope& p, const Hyper& hyper)
      : conv_1(p / "conv_1", hyper.in_channels, hyper.feature_channels),
        conv_2(p / "conv_2", hyper.feature_channels, hyper.feature_channels),
        upsampler(p / "upsampler" / 0, hyper.feature_channels,
                  hyper.out_channels * hyper.upscale * hyper.upscale),
        upscale(hyper.upscale) {
    for (int i = 1; i <= hyper.blocks; ++i) {
      block.emplace_back(p / ("block_" + std::to_string(i)), hyper.feature_channels,
                         hyper.esa_channels);
    }
  }

  Tensor operator()(const Tensor& x) const {
    const Tensor shallow = conv_1(x);
    Tensor deep = shallow;
    for (const RLFB& layer : block) deep = layer(deep);
    return pixel_shuffle(upsampler(conv_2(deep) + shallow), upscale);
  }

  Conv2d conv_1;
  std::vector<RLFB> block;  // block_1, block_2, ...
  Conv2d conv_2, upsampler;
  int upscale;
};

Architecture rlfn();

}  // namespace mend
