// DDColor, colorization by colour queries (Kang et al. 2023, arXiv:2212.11613, Fig. 3).
// Parameter names: the authors' DDColor. x: gray RGB made of L* alone, in [0,1], [N,H,W,3], sides
// multiples of 32; y: a*b* in Lab units, [N,H,W,2]. The authors run it on 512 x 512 pixels.
//
//  x ─ encoder: ConvNeXt ─┬ /4 ─┬ /8 ─┬ /16 ─┬ /32
//                         │     │     │   layers[0] x2 ─┬─ image features, coarse to fine,
//                         │     │  layers[1] x2 ────────┤  become keys and values
//                         │  layers[2] x2 ──────────────┤
//                     last_shuf x4                color_decoder: learned queries ─ one colour each
//                         └── how much of each colour, [N,H,W,queries] ──┘
//  y ─ refine_net 1x1 ─ [colours, x]
//
// Spectral norms are worked out at load. Parts: models/convnext.h, models/color_decoder.h.
#pragma once

#include <optional>
#include <vector>

#include "layers/batch_norm2d.h"
#include "layers/reparametrize.h"
#include "models/architecture.h"
#include "models/color_decoder.h"
#include "models/convnext.h"

namespace mend {

/// torch.nn.utils.spectral_norm of a convolution, with a bias or without.
struct SpectralConv2d {
  SpectralConv2d(const Scope& p, int in, int out, int kernel, bool with_bias)
      : weight(spectral_norm_kernel(p, out, kernel, kernel, in)),
        bias(with_bias ? p.vector("bias", out) : Tensor()) {
    call.kernel_h = call.kernel_w = kernel;
    call.padding_h = call.padding_w = (kernel - 1) / 2;
    call.outputs = out;
  }

  Tensor operator()(const Tensor& x) const { return apply(call, {x, weight, bias}); }

  Tensor weight, bias;
  op::Conv2d call;
};

/// 1x1 ─ (BN) ─ ReLU ─ pixel shuffle ─ 2 x 2 mean, which takes the checkerboard away
/// (the authors' CustomPixelShuffle_ICNR).
struct BlurredShuffle {
  BlurredShuffle(const Scope& p, int in, int out, int factor, bool extra_bn)
      : conv_0(p / "conv" / 0, in, out * factor * factor, 1, !extra_bn), scale(factor) {
    if (extra_bn) conv_1.emplace(p / "conv" / 1, out * factor * factor);
  }

  Tensor operator()(const Tensor& x) const {
    const Tensor y = conv_0(x);
    const Tensor large = pixel_shuffle(relu(conv_1 ? (*conv_1)(y) : y), scale);
    return average_pool(pad(large, {.top = 1, .left = 1}, PadMode::kReplicate), 2, 1);
  }

  SpectralConv2d conv_0;
  std::optional<BatchNorm2d> conv_1;
  int scale;
};

/// Twice the size, joined with the encoder's features (the authors' UnetBlockWide).
struct UnetBlockWide {
  UnetBlockWide(const Scope& p, int in, int skip, int out)
      : shuf(p / "shuf", in, out, 2, true),
        bn(p / "bn", skip),
        conv_0(p / "conv" / 0, out + skip, out, 3, false),
        conv_2(p / "conv" / 2, out) {}

  Tensor operator()(const Tensor& x, const Tensor& features) const {
    return conv_2(relu(conv_0(relu(concat({shuf(x), bn(features)})))));
  }

  BlurredShuffle shuf;
  BatchNorm2d bn;
  SpectralConv2d conv_0;
  BatchNorm2d conv_2;
};

struct DDColor {
  struct Hyper {
    std::vector<int> depths = {3, 3, 27, 3}, dims = {192, 384, 768, 1536};
    int nf = 512;  // of the pixel decoder
    int num_output_channels = 2;
    ColorDecoder::Hyper decoder;
  };

  DDColor(const Scope& p, const Hyper& hyper)
      : mean(p.vector("mean", 3)),
        deviation(p.vector("std", 3)),
        encoder(p / "encoder" / "arch", hyper.depths, hyper.dims),
        last_shuf(p / "decoder" / "last_shuf", hyper.nf / 2, hyper.nf / 2, 4, false),
        color_decoder(p / "decoder" / "color_decoder", {hyper.nf, hyper.nf, hyper.nf / 2},
                      hyper.nf / 2, hyper.decoder),
        refine_net(p / "refine_net" / 0 / 0, hyper.decoder.num_queries + 3,
                   hyper.num_output_channels, 1, true) {
    const Scope layer = p / "decoder" / "layers";
    layers.emplace_back(layer / 0, hyper.dims[3], hyper.dims[2], hyper.nf);
    layers.emplace_back(layer / 1, hyper.nf, hyper.dims[1], hyper.nf);
    layers.emplace_back(layer / 2, hyper.nf, hyper.dims[0], hyper.nf / 2);
  }

  Tensor operator()(const Tensor& picture) const {
    const Tensor x = (picture - mean) / deviation;
    const std::vector<Tensor> features = encoder(x);  // /4, /8, /16, /32
    const Tensor y0 = layers[0](features[3], features[2]);
    const Tensor y1 = layers[1](y0, features[1]);
    const Tensor y2 = layers[2](y1, features[0]);
    const Tensor colours = color_decoder({y0, y1, y2}, last_shuf(y2));
    return refine_net(concat({colours, x}));
  }

  Tensor mean, deviation;  // ImageNet's
  ConvNeXt encoder;
  std::vector<UnetBlockWide> layers;
  BlurredShuffle last_shuf;
  ColorDecoder color_decoder;
  SpectralConv2d refine_net;
};

Architecture ddcolor();

}  // namespace mend
