// FFDNet, a denoiser that is told the noise level (Zhang et al. 2018, arXiv:1710.04026, Fig. 1).
// Parameter names: KAIR's FFDNet. x: gray or RGB in [0,1], [N,H,W,C]; sigma: [N,1,1,1], the noise's
// standard deviation in the same units; y: [N,H,W,C], not clipped.
//
//  x ─ unshuffle 2 ─┐
//                 concat ─ ConvChain ─ shuffle 2 ─ y
//  sigma ─ spread ──┘
#pragma once

#include "models/conv_chain.h"

namespace mend {

struct FFDNet {
  struct Hyper {
    int in_nc = 3, out_nc = 3, nc = 96, nb = 12;
    std::string act_mode = "R";
  };

  FFDNet(const Scope& p, const Hyper& hyper)
      : model(p, {.in_nc = 4 * hyper.in_nc + 1,
                  .out_nc = 4 * hyper.out_nc,
                  .nc = hyper.nc,
                  .nb = hyper.nb,
                  .act_mode = hyper.act_mode}) {}

  Tensor operator()(const Tensor& x, const Tensor& sigma) const {
    const Tensor half = pixel_unshuffle(pad_to_multiple(x, 2, PadMode::kReplicate), 2);
    const Tensor map = spread(sigma, half.shape().h, half.shape().w);
    const Tensor y = pixel_shuffle(model(concat({half, map})), 2);
    return crop(y, 0, 0, x.shape().h, x.shape().w);
  }

  ConvChain model;
};

Architecture ffdnet();

}  // namespace mend
