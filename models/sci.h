// SCI, self-calibrated illumination (Ma et al. 2022, arXiv:2204.10137, Fig. 2). Only the small
// enhancer is used after training; the `calibrate.*` tensors of the files are for training alone.
// Parameter names: the authors' EnhanceNetwork. x: RGB in [0,1], [N,H,W,3]; outputs: the picture
// x / illumination in [0,1], and the illumination.
//
//  x ─┬─ in_conv ─ ReLU ─┬─ conv ─ batch norm ─ ReLU ─(+)─ out_conv ─ sigmoid ─(+)─ illumination
//     │                  └────────────────────────────┘                        │
//     └──────────────────────── x layers, with one set of parameters ──────────┘
#pragma once

#include <vector>

#include "layers/batch_norm2d.h"
#include "layers/conv2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

struct SCI {
  struct Hyper {
    int layers = 1, channels = 3;
  };

  struct Block {
    Block(const Scope& p, int channels) : conv(p / 0, channels, channels), norm(p / 1, channels) {}

    Tensor operator()(const Tensor& x) const { return x + relu(norm(conv(x))); }

    Conv2d conv;
    BatchNorm2d norm;
  };

  SCI(const Scope& p, const Hyper& hyper)
      : in_conv(p / "enhance" / "in_conv" / 0, 3, hyper.channels),
        out_conv(p / "enhance" / "out_conv" / 0, hyper.channels, 3) {
    for (int i = 0; i < hyper.layers; ++i) {
      blocks.emplace_back(p / "enhance" / "blocks" / i, hyper.channels);
    }
    p.ignore("enhance.conv");  // the same tensors as blocks.0, under a second name
    p.ignore("calibrate");
  }

  std::vector<Tensor> operator()(const Tensor& x) const {
    Tensor features = relu(in_conv(x));
    for (const Block& block : blocks) features = block(features);
    const Tensor illumination = clamp(sigmoid(out_conv(features)) + x, 0.0001f, 1);
    return {clamp(x / illumination, 0, 1), illumination};
  }

  Conv2d in_conv;
  std::vector<Block> blocks;
  Conv2d out_conv;
};

Architecture sci();

}  // namespace mend
