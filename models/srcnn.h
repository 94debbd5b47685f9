// SRCNN, the first network for super-resolution (Dong et al. 2014, arXiv:1501.00092, Fig. 2).
// Parameter names: the widely used PyTorch definition (yjn870). x: luma / 255, enlarged by bicubic
// before, [N,H,W,1]; y: like x, not clipped.
//
//  x ─ conv1 9x9 ─ ReLU ─ conv2 5x5 ─ ReLU ─ conv3 5x5 ─ y
//      patches            mapping            reconstruction
#pragma once

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

struct SRCNN {
  struct Hyper {
    int num_channels = 1;
    int widths[2] = {64, 32};
    int kernels[3] = {9, 5, 5};
  };

  SRCNN(const Scope& p, const Hyper& hyper)
      : conv1(p / "conv1", hyper.num_channels, hyper.widths[0], hyper.kernels[0]),
        conv2(p / "conv2", hyper.widths[0], hyper.widths[1], hyper.kernels[1]),
        conv3(p / "conv3", hyper.widths[1], hyper.num_channels, hyper.kernels[2]) {}

  Tensor operator()(const Tensor& x) const { return conv3(relu(conv2(relu(conv1(x))))); }

  Conv2d conv1, conv2, conv3;
};

Architecture srcnn();

}  // namespace mend
