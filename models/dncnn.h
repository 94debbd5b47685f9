// DnCNN (Zhang et al. 2017, arXiv:1608.03981, Fig. 1) removes noise by predicting it; IRCNN (Zhang
// et al. 2017, arXiv:1704.03264, Fig. 1) does so with 7 dilated convolutions; FDnCNN is told the
// noise level and predicts the picture. Parameter names: KAIR's classes of the same names.
// x: gray or RGB in [0,1], [N,H,W,C], for FDnCNN one more channel: sigma everywhere; y: [N,H,W,C].
//
//  x ─┬─ ConvChain ─(−)─ y           FDnCNN:  x, sigma ─ ConvChain ─ y
//     └─────────────┘
#pragma once

#include "models/conv_chain.h"

namespace mend {

struct DnCNN {
  DnCNN(const Scope& p, const ConvChain::Hyper& hyper) : model(p, hyper) {}

  Tensor operator()(const Tensor& x) const { return x - model(x); }

  ConvChain model;
};

struct FDnCNN {
  FDnCNN(const Scope& p, const ConvChain::Hyper& hyper) : model(p, hyper) {}

  Tensor operator()(const Tensor& x) const { return model(x); }

  ConvChain model;
};

struct IRCNN {
  IRCNN(const Scope& p, ConvChain::Hyper hyper) : model(p, dilated(std::move(hyper))) {}

  Tensor operator()(const Tensor& x) const { return x - model(x); }

  static ConvChain::Hyper dilated(ConvChain::Hyper hyper) {
    hyper.dilations = {1, 2, 3, 4, 3, 2, 1};
    return hyper;
  }

  ConvChain model;
};

Architecture dncnn();
Architecture fdncnn();
Architecture ircnn();

}  // namespace mend
