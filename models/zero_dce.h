// Zero-DCE (Guo et al. 2020, arXiv:2001.06826, Figs. 2 and 3) and Zero-DCE++ (Li et al. 2021,
// arXiv:2103.00860): a small network draws tone curves for every pixel, applied 8 times:
//   x ← x + r·(x² − x)                                                       (equation 3)
// Parameter names: the authors' enhance_net_nopool. x: RGB in [0,1], [N,H,W,3]; outputs: the
// picture after all curves, for Zero-DCE also the one after half of them, and the curves r.
//
//  x ─ e_conv1 ─ 2 ─ 3 ─ 4 ─ [3,4] ─ 5 ─ [2,5] ─ 6 ─ [1,6] ─ 7 ─ tanh ─ r      ReLU after 1 to 6
//
// ++ uses depthwise-separable convolutions, one r for all 8 steps, and may draw the curves on a
// picture reduced by scale_factor.
#pragma once

#include <vector>

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

/// A depthwise 3x3 convolution and a 1x1 convolution.
struct SeparableConv2d {
  SeparableConv2d(const Scope& p, int in, int out)
      : depth_conv(p / "depth_conv", in, in, 3, {.groups = in}),
        point_conv(p / "point_conv", in, out, 1) {}

  Tensor operator()(const Tensor& x) const { return point_conv(depth_conv(x)); }

  Conv2d depth_conv, point_conv;
};

/// The network that draws the curves, of either kind of convolution.
template <class Conv>
struct DCENet {
  DCENet(const Scope& p, int features, int curves)
      : e_conv1(p / "e_conv1", 3, features),
        e_conv2(p / "e_conv2", features, features),
        e_conv3(p / "e_conv3", features, features),
        e_conv4(p / "e_conv4", features, features),
        e_conv5(p / "e_conv5", 2 * features, features),
        e_conv6(p / "e_conv6", 2 * features, features),
        e_conv7(p / "e_conv7", 2 * features, curves) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor x1 = relu(e_conv1(x));
    const Tensor x2 = relu(e_conv2(x1));
    const Tensor x3 = relu(e_conv3(x2));
    const Tensor x4 = relu(e_conv4(x3));
    const Tensor x5 = relu(e_conv5(concat({x3, x4})));
    const Tensor x6 = relu(e_conv6(concat({x2, x5})));
    return tanh(e_conv7(concat({x1, x6})));
  }

  Conv e_conv1, e_conv2, e_conv3, e_conv4, e_conv5, e_conv6, e_conv7;
};

/// One step along a curve.
inline Tensor enhance(const Tensor& x, const Tensor& r) { return x + r * (x * x - x); }

struct ZeroDCE {
  ZeroDCE(const Scope& p, int number_f, int steps)
      : curves(p, number_f, 3 * steps), iterations(steps) {}

  std::vector<Tensor> operator()(const Tensor& x) const {
    const Tensor r = curves(x);  // [N,H,W,3·iterations]: a curve for each step
    Tensor y = x, half;
    for (int i = 0; i < iterations; ++i) {
      if (i == iterations / 2) half = y;
      y = enhance(y, slice_channels(r, 3 * i, 3));
    }
    return {y, half, r};
  }

  DCENet<Conv2d> curves;
  int iterations;
};

struct ZeroDCEPlusPlus {
  ZeroDCEPlusPlus(const Scope& p, int number_f, int steps, int reduction)
      : curves(p, number_f, 3), iterations(steps), scale_factor(reduction) {}

  std::vector<Tensor> operator()(const Tensor& x) const {
    const auto [n, h, w, c] = x.shape();
    Tensor r = scale_factor == 1 ? curves(x)
                                 : curves(resize_bilinear(x, h / scale_factor, w / scale_factor));
    if (scale_factor > 1) r = resize_bilinear(r, h, w, /*align_corners=*/true);
    Tensor y = x;
    for (int i = 0; i < iterations; ++i) y = enhance(y, r);
    return {y, r};
  }

  DCENet<SeparableConv2d> curves;
  int iterations, scale_factor;
};

Architecture zero_dce();
Architecture zero_dce_pp();

}  // namespace mend
