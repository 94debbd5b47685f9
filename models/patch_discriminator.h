// Patch discriminator: says of overlapping patches of a picture how real they look (Isola et al. 2017,
// pix2pix, arXiv:1611.07004, section 3.2.2; with 3 layers a patch has 70 x 70 pixels).
// Parameter names: pix2pix's NLayerDiscriminator, a flat list `model`. x: RGB, [N,H,W,input_nc]; y:
// logits, one a patch, [N,P,Q,1].
//
//  x ─ 0: conv /2 ─ lrelu ─ 2: conv /2 ─ 3: norm ─ lrelu ─ ... ─ conv /1 ─ norm ─ lrelu ─ conv /1 ─ y
//                           └──── n_layers − 1 times ────┘
//
// Convolutions are 4x4, padding 1; channels ndf, 2·ndf, 4·ndf, 8·ndf at most. Norms take the statistics
// of what they see, those of batch norm too: a discriminator is only ever trained.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "kernels/normalization/normalization.h"
#include "layers/conv2d.h"
#include "layers/functions.h"

namespace mend {

struct NLayerDiscriminator {
  enum class Norm { kBatch, kInstance, kNone };
  struct Hyper {
    int input_nc = 3, ndf = 64, n_layers = 3;
    Norm norm = Norm::kBatch;
  };

  struct Layer {
    Layer(const Scope& model, int index, int in, int out, int stride, Norm of)
        // As there: a bias that batch norm would take away again is left out, and so it is without a norm.
        : conv(model / index, in, out, 4,
               {.stride = stride, .padding = 1, .bias = of == Norm::kInstance}),
          norm(of) {
      if (norm != Norm::kBatch) return;
      const Scope p = model / (index + 1);
      weight = p.vector("weight", out);
      bias = p.vector("bias", out);
      p.ignore("running_mean");
      p.ignore("running_var");
    }

    Tensor operator()(const Tensor& x) const {
      const Tensor y = conv(x);
      const auto [N, H, W, C] = y.shape();
      const op::GroupNorm each{.groups = C};  // instance norm
      switch (norm) {
        case Norm::kInstance:
          return lrelu(apply(each, {y}));
        case Norm::kBatch: {  // the images of a batch below each other are one image
          const Tensor normed = apply(each, {reshape(y, 1, N * H, W), weight, bias});
          return lrelu(reshape(normed, N, H, W));
        }
        case Norm::kNone:
          break;
      }
      return lrelu(y);
    }

    Conv2d conv;
    Norm norm;
    Tensor weight, bias;  // {1,1,1,out} of a batch norm
  };

  NLayerDiscriminator(const Scope& p, const Hyper& h)
      : first(p / "model" / 0, h.input_nc, h.ndf, 4, {.stride = 2, .padding = 1}),
        last(p / "model" / (3 * h.n_layers + 2), width(h, h.n_layers), 1, 4, {.padding = 1}) {
    for (int n = 1; n <= h.n_layers; ++n) {
      const int stride = n < h.n_layers ? 2 : 1;
      layers.emplace_back(p / "model", 3 * n - 1, width(h, n - 1), width(h, n), stride, h.norm);
    }
  }

  Tensor operator()(const Tensor& x) const {
    Tensor y = lrelu(first(x));
    for (const Layer& layer : layers) y = layer(y);
    return last(y);
  }

  Conv2d first;
  std::vector<Layer> layers;
  Conv2d last;

 private:
  static int width(const Hyper& h, int n) { return h.ndf * std::min(1 << n, 8); }
};

}  // namespace mend
