// VDSR (Kim et al. 2016, arXiv:1511.04587, Fig. 2): one network sharpens what bicubic enlarged by
// any factor. Parameter names: the widely used PyTorch definition (twtygqyy). No biases.
// x: luma / 255, enlarged by bicubic before, [N,H,W,1]; y: like x, not clipped.
//
//  x ─┬─ input ─ ReLU ─ (conv ─ ReLU) x (nb − 2) ─ output ─(+)─ y
//     └────────────────────────────────────────────────────┘
#pragma once

#include <vector>

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

struct VDSR {
  struct Hyper {
    int num_channels = 1, nc = 64, nb = 20;
  };

  VDSR(const Scope& p, const Hyper& hyper)
      : input(p / "input", hyper.num_channels, hyper.nc, 3, {.bias = false}),
        output(p / "output", hyper.nc, hyper.num_channels, 3, {.bias = false}) {
    for (int i = 0; i < hyper.nb - 2; ++i) {
      residual_layer.emplace_back(p / "residual_layer" / i / "conv", hyper.nc, hyper.nc, 3,
                                  Conv2dOptions{.bias = false});
    }
  }

  Tensor operator()(const Tensor& x) const {
    Tensor y = relu(input(x));
    for (const Conv2d& conv : residual_layer) y = relu(conv(y));
    return x + output(y);
  }

  Conv2d input;
  std::vector<Conv2d> residual_layer;
  Conv2d output;
};

Architecture vdsr();

}  // namespace mend
