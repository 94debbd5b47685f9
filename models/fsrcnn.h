// FSRCNN (Dong et al. 2016, arXiv:1608.00367, Fig. 3): SRCNN on the small picture, with an
// hourglass of channels and the enlargement at the end. Parameter names: the widely used PyTorch
// definition (yjn870). x: luma / 255, [N,H,W,1]; y: [N,sH,sW,1], not clipped.
//
//  x ─ first_part: conv 5x5 to d ─ mid_part: 1x1 to s, m x (3x3), 1x1 to d ─ last_part: deconv 9x9 /s ─ y
//      PReLU after each convolution
//
// OpenCV's copy enlarges by a 1x1 convolution and a pixel shuffle instead of the deconvolution.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "layers/conv2d.h"
#include "layers/conv_transpose2d.h"
#include "layers/functions.h"
#include "layers/prelu.h"
#include "models/architecture.h"

namespace mend {

struct FSRCNN {
  struct Hyper {
    int scale_factor = 2, num_channels = 1, d = 56, s = 12, m = 4;
    bool shuffles = false;  // OpenCV's last_part
  };

  /// Entries `index` and `index` + 1 of an official nn.Sequential.
  struct ConvPRelu {
    ConvPRelu(const Scope& part, int index, int in, int out, int kernel)
        : conv(part / index, in, out, kernel), prelu(part / (index + 1), out) {}

    Tensor operator()(const Tensor& x) const { return prelu(conv(x)); }

    Conv2d conv;
    PRelu prelu;
  };

  /// OpenCV's enlargement; its bias is one number a channel of the enlarged picture.
  struct SubPixel {
    SubPixel(const Scope& p, int in, int out, int factor)
        : conv(p, in, out * factor * factor, 1, {.bias = false}),
          bias(p.vector("bias", out)),
          scale_factor(factor) {}

    Tensor operator()(const Tensor& x) const { return pixel_shuffle(conv(x), scale_factor) + bias; }

    Conv2d conv;
    Tensor bias;
    int scale_factor;
  };

  FSRCNN(const Scope& p, const Hyper& hyper)
      : first_part(p / "first_part", 0, hyper.num_channels, hyper.d, 5) {
    const Scope last = p / "last_part";
    if (hyper.shuffles) {
      last_part = SubPixel(last, hyper.d, hyper.num_channels, hyper.scale_factor);
    } else {
      last_part = ConvTranspose2d(
          last, hyper.d, hyper.num_channels, 9,
          {.stride = hyper.scale_factor, .padding = 4, .output_padding = hyper.scale_factor - 1});
    }
    const Scope mid = p / "mid_part";
    mid_part.emplace_back(mid, 0, hyper.d, hyper.s, 1);
    for (int i = 1; i <= hyper.m; ++i) mid_part.emplace_back(mid, 2 * i, hyper.s, hyper.s, 3);
    mid_part.emplace_back(mid, 2 * (hyper.m + 1), hyper.s, hyper.d, 1);
  }

  Tensor operator()(const Tensor& x) const {
    Tensor y = first_part(x);
    for (const ConvPRelu& layer : mid_part) y = layer(y);
    return std::visit([&](const auto& enlarge) { return enlarge(y); }, *last_part);
  }

  ConvPRelu first_part;
  std::vector<ConvPRelu> mid_part;
  std::optional<std::variant<ConvTranspose2d, SubPixel>> last_part;
};

Architecture fsrcnn();

}  // namespace mend
