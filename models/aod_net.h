// AOD-Net (Li et al. 2017, "AOD-Net: All-in-One Dehazing Network", ICCV, Fig. 3). Haze is
// x = J·t + A·(1 − t); the network estimates one map K that joins the transmission t and the
// airlight A (equations 4 and 5). Parameter names: the widely used PyTorch definition
// (MayankSingal). x: hazy RGB in [0,1], [N,H,W,3]; y: J = ReLU(K·x − K + 1), like x.
//
//  x ─ e_conv1 1x1 ─ e_conv2 3x3 ─ [1,2] ─ e_conv3 5x5 ─ [2,3] ─ e_conv4 7x7 ─ [1,2,3,4] ─ e_conv5 3x3 ─ K
//      ReLU after each convolution
#pragma once

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

struct AODNet {
  AODNet(const Scope& p, int channels)
      : e_conv1(p / "e_conv1", channels, channels, 1),
        e_conv2(p / "e_conv2", channels, channels, 3),
        e_conv3(p / "e_conv3", 2 * channels, channels, 5),
        e_conv4(p / "e_conv4", 2 * channels, channels, 7),
        e_conv5(p / "e_conv5", 4 * channels, channels, 3) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor x1 = relu(e_conv1(x));
    const Tensor x2 = relu(e_conv2(x1));
    const Tensor x3 = relu(e_conv3(concat({x1, x2})));
    const Tensor x4 = relu(e_conv4(concat({x2, x3})));
    const Tensor k = relu(e_conv5(concat({x1, x2, x3, x4})));
    return relu(k * x - k + 1.0f);
  }

  Conv2d e_conv1, e_conv2, e_conv3, e_conv4, e_conv5;
};

Architecture aod_net();

}  // namespace mend
