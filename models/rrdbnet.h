// RRDBNet, the generator of ESRGAN (Wang et al. 2018, arXiv:1809.00219, Fig. 3), Real-ESRGAN
// (arXiv:2107.10833) and BSRGAN (arXiv:2103.14006). Parameter names: BasicSR's RRDBNet; those of
// BSRGAN and of the first ESRGAN are translated by models/official_keys.h.
// x: RGB in [0,1], [N,H,W,3]; y: [N,sH,sW,3], not clipped.
//
//  x ─ (unshuffle u) ─ conv_first ─┬─ RRDB x num_block ─ conv_body ─(+)─ (x2 conv_up) x n ─ conv_hr
//                                  └────────────────────────────────┘              ─ conv_last ─ y
//
// n is 2 for x4. Real-ESRGAN makes x2 and x1 of the same network by unshuffling x first (u = 2, 4),
// BSRGAN makes x2 with one upsampling: s = 2ⁿ/u.
#pragma once

#include <vector>

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

/// Five convolutions, each seeing all features before it (Fig. 4, right). ESRGAN+ (Rakotonirina &
/// Rasoanaivo 2020, arXiv:2001.08073, Fig. 3) has two skips more: from x, by conv1x1, to the second
/// features, and from there to the fourth.
struct ResidualDenseBlock {
  ResidualDenseBlock(const Scope& p, int features, int growth, bool plus)
      : conv1(p / "conv1", features + 0 * growth, growth),
        conv2(p / "conv2", features + 1 * growth, growth),
        conv3(p / "conv3", features + 2 * growth, growth),
        conv4(p / "conv4", features + 3 * growth, growth),
        conv5(p / "conv5", features + 4 * growth, features) {
    if (plus) conv1x1.emplace(p / "conv1x1", features, growth, 1, Conv2dOptions{.bias = false});
  }

  Tensor operator()(const Tensor& x) const {
    const Tensor x1 = lrelu(conv1(x));
    Tensor x2 = lrelu(conv2(concat({x, x1})));
    if (conv1x1) x2 = x2 + (*conv1x1)(x);
    const Tensor x3 = lrelu(conv3(concat({x, x1, x2})));
    Tensor x4 = lrelu(conv4(concat({x, x1, x2, x3})));
    if (conv1x1) x4 = x4 + x2;
    return x + 0.2f * conv5(concat({x, x1, x2, x3, x4}));
  }

  Conv2d conv1, conv2, conv3, conv4, conv5;
  std::optional<Conv2d> conv1x1;
};

/// Residual in residual: three dense blocks inside one more skip (Fig. 4, left).
struct RRDB {
  RRDB(const Scope& p, int features, int growth, bool plus)
      : rdb1(p / "rdb1", features, growth, plus),
        rdb2(p / "rdb2", features, growth, plus),
        rdb3(p / "rdb3", features, growth, plus) {}

  Tensor operator()(const Tensor& x) const { return x + 0.2f * rdb3(rdb2(rdb1(x))); }

  ResidualDenseBlock rdb1, rdb2, rdb3;
};

struct RRDBNet {
  struct Hyper {
    int num_in_ch = 3, num_out_ch = 3;
    int scale = 4;
    int num_feat = 64, num_block = 23, num_grow_ch = 32;
    int unshuffle = 1;
    bool plus = false;  // ESRGAN+
  };

  RRDBNet(const Scope& p, const Hyper& hyper)
      : scale(hyper.scale),
        unshuffle(hyper.unshuffle),
        conv_first(p / "conv_first", hyper.num_in_ch * unshuffle * unshuffle, hyper.num_feat),
        conv_body(p / "conv_body", hyper.num_feat, hyper.num_feat),
        conv_hr(p / "conv_hr", hyper.num_feat, hyper.num_feat),
        conv_last(p / "conv_last", hyper.num_feat, hyper.num_out_ch) {
    for (int i = 0; i < hyper.num_block; ++i) {
      body.emplace_back(p / "body" / i, hyper.num_feat, hyper.num_grow_ch, hyper.plus);
    }
    for (int factor = scale * unshuffle; factor > 1; factor /= 2) {
      const std::string name = "conv_up" + std::to_string(conv_up.size() + 1);
      conv_up.emplace_back(p / name, hyper.num_feat, hyper.num_feat);
    }
  }

  Tensor operator()(const Tensor& x) const {
    // The official scripts reflect odd sides, and cut the result.
    const Tensor even = pad_to_multiple(x, unshuffle, PadMode::kReflect);
    const Tensor shallow = conv_first(unshuffle > 1 ? pixel_unshuffle(even, unshuffle) : even);
    Tensor deep = shallow;
    for (const RRDB& block : body) deep = block(deep);
    Tensor y = shallow + conv_body(deep);
    for (const Conv2d& conv : conv_up) y = lrelu(conv(upsample_nearest(y, 2)));
    y = conv_last(lrelu(conv_hr(y)));
    return crop(y, 0, 0, scale * x.shape().h, scale * x.shape().w);
  }

  int scale, unshuffle;
  Conv2d conv_first;
  std::vector<RRDB> body;
  Conv2d conv_body;
  std::vector<Conv2d> conv_up;  // conv_up1, conv_up2, ...
  Conv2d conv_hr, conv_last;
};

Architecture rrdbnet();

}  // namespace mend
