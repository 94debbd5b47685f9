// U-Net discriminator with spectral norm: says of every pixel how real it looks (Wang et al. 2021,
// Real-ESRGAN, arXiv:2107.10833, section 3.3; after Schönfeld et al. 2020, arXiv:2002.12655).
// Parameter names: BasicSR's UNetDiscriminatorSN (`conv0.weight`, `conv1.weight_orig`, `.weight_u`,
// `.weight_v`, ...). x: RGB in [0,1], [N,H,W,num_in_ch], H and W multiples of 8; y: logits [N,H,W,1].
//
//  x ─ conv0 ─ conv1 /2 ─ conv2 /2 ─ conv3 /2 ─ up ─ conv4 ─(+)─ up ─ conv5 ─(+)─ up ─ conv6 ─(+)─ conv7, 8, 9 ─ y
//            │          │          └─────────────────────────┘                │                │
//            │          └─────────────────────────────────────────────────────┘                │
//            └─────────────────────────────────────────────────────────────────────────────────┘
//
// A leaky rectifier (0.2) follows every convolution but the last; up: bilinear, x2.
#pragma once

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "layers/spectral_norm.h"

namespace mend {

struct UNetDiscriminatorSN {
  struct Hyper {
    int num_in_ch = 3, num_feat = 64;
    bool skip_connection = true;
  };
  static constexpr int kMultiple = 8;  ///< of the picture's height and width

  UNetDiscriminatorSN(const Scope& p, const Hyper& h)
      : conv0(p / "conv0", h.num_in_ch, h.num_feat),
        conv1(p / "conv1", h.num_feat, h.num_feat * 2, 4, kHalve),
        conv2(p / "conv2", h.num_feat * 2, h.num_feat * 4, 4, kHalve),
        conv3(p / "conv3", h.num_feat * 4, h.num_feat * 8, 4, kHalve),
        conv4(p / "conv4", h.num_feat * 8, h.num_feat * 4, 3),
        conv5(p / "conv5", h.num_feat * 4, h.num_feat * 2, 3),
        conv6(p / "conv6", h.num_feat * 2, h.num_feat, 3),
        conv7(p / "conv7", h.num_feat, h.num_feat, 3),
        conv8(p / "conv8", h.num_feat, h.num_feat, 3),
        conv9(p / "conv9", h.num_feat, 1),
        skip_connection(h.skip_connection) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor x0 = lrelu(conv0(x));   // {N,H,W,num_feat}
    const Tensor x1 = lrelu(conv1(x0));  // {N,H/2,W/2,2·num_feat}
    const Tensor x2 = lrelu(conv2(x1));  // {N,H/4,W/4,4·num_feat}
    const Tensor x3 = lrelu(conv3(x2));  // {N,H/8,W/8,8·num_feat}
    const Tensor x4 = joined(lrelu(conv4(twice(x3))), x2);
    const Tensor x5 = joined(lrelu(conv5(twice(x4))), x1);
    const Tensor x6 = joined(lrelu(conv6(twice(x5))), x0);
    return conv9(lrelu(conv8(lrelu(conv7(x6)))));
  }

  Conv2d conv0;
  SpectralNormConv2d conv1, conv2, conv3, conv4, conv5, conv6, conv7, conv8;
  Conv2d conv9;
  bool skip_connection;

 private:
  static constexpr Conv2dOptions kHalve{.stride = 2, .padding = 1};

  static Tensor twice(const Tensor& x) {
    return resize_bilinear(x, 2 * x.shape().h, 2 * x.shape().w);
  }
  Tensor joined(const Tensor& up, const Tensor& down) const {
    return skip_connection ? up + down : up;
  }
};

}  // namespace mend
