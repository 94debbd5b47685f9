// GFPGAN, restoration of aligned faces (Wang et al. 2021, arXiv:2101.04061, Fig. 2). Parameter
// names: the authors' GFPGANv1Clean, of versions 1.2 to 1.4. x: RGB in [-1,1], [N,R,R,3], an aligned
// face, R = out_size (512); y: RGB in about [-1,1], like x.
//
//  x ─ conv_body_first ─ conv_body_down /2 ─ ... 4x4 ─ final_conv ─┬─ final_linear ─ styles
//                             │ skips                              │                   │
//                             └───────────────(+)─ conv_body_up x2 ─ ...               │
//                                                      ├─ toRGB: output1, ...          │
//                                                      └─ condition_scale, _shift ─ stylegan_decoder ─ y
//
// The noise is that in the checkpoint: the same face gives the same result. (The official script
// draws it anew each time.) The other outputs are the U-Net's own pictures, coarse to fine; training
// compared them. Parts: models/stylegan2.h.
#pragma once

#include <vector>

#include "layers/conv2d.h"
#include "models/stylegan2.h"

namespace mend {

/// Half the size or twice, bilinear, between two convolutions, and beside them.
struct GfpganResBlock {
  GfpganResBlock(const Scope& p, int in, int out, bool is_up)
      : conv1(p / "conv1", in, in),
        conv2(p / "conv2", in, out),
        skip(p / "skip", in, out, 1, {.bias = false}),
        doubles(is_up) {}

  Tensor operator()(const Tensor& x) const {
    return lrelu(conv2(resized(lrelu(conv1(x))))) + skip(resized(x));
  }

  Tensor resized(const Tensor& x) const {
    const auto [n, h, w, c] = x.shape();
    return doubles ? resize_bilinear(x, 2 * h, 2 * w) : resize_bilinear(x, h / 2, w / 2);
  }

  Conv2d conv1, conv2, skip;
  bool doubles;
};

/// conv 3x3 ─ leaky ReLU ─ conv 3x3
struct GfpganCondition {
  GfpganCondition(const Scope& p, int in, int out)
      : conv_0(p / 0, in, in), conv_2(p / 2, in, out) {}

  Tensor operator()(const Tensor& x) const { return conv_2(lrelu(conv_0(x))); }

  Conv2d conv_0, conv_2;
};

struct Gfpgan {
  struct Hyper {
    StyleGan2Hyper style;
    bool different_w = true;  // a style for each layer, not one for all
    bool input_is_latent = true;

    int unet_channels(int size) const { return style.channels(size, 0.5); }
  };

  Gfpgan(const Scope& p, const Hyper& hyper);

  /// -> output, then [N,8,8,3], [N,16,16,3], ..., [N,R,R,3]
  std::vector<Tensor> operator()(const Tensor& x) const;

  /// The styles of all layers, from final_linear's result.
  std::vector<Tensor> styles(const Tensor& codes) const;

  Hyper hyper;
  Conv2d conv_body_first;
  std::vector<GfpganResBlock> conv_body_down;
  Conv2d final_conv;
  std::vector<GfpganResBlock> conv_body_up;
  std::vector<Conv2d> toRGB;
  Tensor final_linear_weight, final_linear_bias;  // as a convolution of the 4x4 pixels
  StyleGan2GeneratorCsft stylegan_decoder;
  std::vector<GfpganCondition> condition_scale, condition_shift;
};

Architecture gfpgan();

}  // namespace mend
