// UpCUNet, the cascaded U-Net of waifu2x (nagadomi's CUNet) and of Real-CUGAN x2 (bilibili).
// Parameter names: Real-CUGAN's UpCunet2x. x: RGB in [0,1], [N,H,W,3]; y: [N,2H,2W,3], not clipped.
//
//  x ─ reflect 18 ─ UNet1: /2, x2, then x2 more ─┬─ UNet2: /4, x4 ─(+)─ y
//                                                └──── trim 20 ────┘
//
// Convolutions have no padding, so each U-Net eats its border, and skips are trimmed to fit. The
// squeeze-and-excitation gates take the mean of the whole picture: tiles change the result a little.
#pragma once

#include <optional>

#include "layers/conv2d.h"
#include "layers/conv_transpose2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

/// Squeeze and excitation (Hu et al. 2018, arXiv:1709.01507): a gate for each channel.
struct SEBlock {
  SEBlock(const Scope& p, int channels, int reduced)
      : conv1(p / "conv1", channels, reduced, 1), conv2(p / "conv2", reduced, channels, 1) {}

  Tensor operator()(const Tensor& x) const {
    return x * sigmoid(conv2(relu(conv1(global_average_pool(x)))));
  }

  Conv2d conv1, conv2;
};

/// Two convolutions without padding, and perhaps a gate.
struct UNetConv {
  struct Widths {
    int in, mid, out;
    int reduced;  // of the gate; 0: no gate
  };

  UNetConv(const Scope& p, const Widths& widths)
      : conv0(p / "conv" / 0, widths.in, widths.mid, 3, {.padding = 0}),
        conv2(p / "conv" / 2, widths.mid, widths.out, 3, {.padding = 0}) {
    if (widths.reduced > 0) seblock.emplace(p / "seblock", widths.out, widths.reduced);
  }

  Tensor operator()(const Tensor& x) const {
    const Tensor y = lrelu(conv2(lrelu(conv0(x), 0.1f)), 0.1f);
    return seblock ? (*seblock)(y) : y;
  }

  Conv2d conv0, conv2;
  std::optional<SEBlock> seblock;
};

/// [N,H,W,3] -> [N,2H−32,2W−32,3]. H and W must be even.
struct UNet1 {
  UNet1(const Scope& p, const UNetConv::Widths& first, const UNetConv::Widths& second)
      : conv1(p / "conv1", first),
        conv1_down(p / "conv1_down", first.out, first.out, 2, {.stride = 2, .padding = 0}),
        conv2(p / "conv2", second),
        conv2_up(p / "conv2_up", second.out, second.out, 2, {.stride = 2}),
        conv3(p / "conv3", second.out, second.out, 3, {.padding = 0}),
        conv_bottom(p / "conv_bottom", second.out, 3, 4, {.stride = 2, .padding = 3}) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor x1 = conv1(x);
    const Tensor x2 = lrelu(conv2_up(conv2(lrelu(conv1_down(x1), 0.1f))), 0.1f);
    return conv_bottom(lrelu(conv3(trim(x1, 4) + x2), 0.1f));
  }

  UNetConv conv1;
  Conv2d conv1_down;
  UNetConv conv2;
  ConvTranspose2d conv2_up;
  Conv2d conv3;
  ConvTranspose2d conv_bottom;
};

/// [N,H,W,3] -> [N,H−40,W−40,3]. H and W must be multiples of 4.
struct UNet2 {
  UNet2(const Scope& p, const UNetConv::Widths (&w)[4])
      : conv1(p / "conv1", w[0]),
        conv1_down(p / "conv1_down", w[0].out, w[0].out, 2, {.stride = 2, .padding = 0}),
        conv2(p / "conv2", w[1]),
        conv2_down(p / "conv2_down", w[1].out, w[1].out, 2, {.stride = 2, .padding = 0}),
        conv3(p / "conv3", w[2]),
        conv3_up(p / "conv3_up", w[2].out, w[2].out, 2, {.stride = 2}),
        conv4(p / "conv4", w[3]),
        conv4_up(p / "conv4_up", w[3].out, w[3].out, 2, {.stride = 2}),
        conv5(p / "conv5", w[3].out, w[3].out, 3, {.padding = 0}),
        conv_bottom(p / "conv_bottom", w[3].out, 3, 3, {.padding = 0}) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor x1 = conv1(x);
    const Tensor x2 = conv2(lrelu(conv1_down(x1), 0.1f));
    const Tensor x3 = lrelu(conv3_up(conv3(lrelu(conv2_down(x2), 0.1f))), 0.1f);
    const Tensor x4 = lrelu(conv4_up(conv4(trim(x2, 4) + x3)), 0.1f);
    return conv_bottom(lrelu(conv5(trim(x1, 16) + x4), 0.1f));
  }

  UNetConv conv1;
  Conv2d conv1_down;
  UNetConv conv2;
  Conv2d conv2_down;
  UNetConv conv3;
  ConvTranspose2d conv3_up;
  UNetConv conv4;
  ConvTranspose2d conv4_up;
  Conv2d conv5, conv_bottom;
};

struct UpCunet2x {
  struct Hyper {
    UNetConv::Widths unet1[2], unet2[4];
    bool pro = false;  // trained on x·0.7 + 0.15
  };

  UpCunet2x(const Scope& p, const Hyper& hyper)
      : unet1(p / "unet1", hyper.unet1[0], hyper.unet1[1]),
        unet2(p / "unet2", hyper.unet2),
        pro(hyper.pro) {}

  Tensor operator()(const Tensor& x) const {
    constexpr int kBorder = 18;
    const auto [n, h, w, c] = x.shape();
    const Tensor bordered =
        pad(pro ? affine(x, 0.7f, 0.15f) : x, {kBorder, kBorder + h % 2, kBorder, kBorder + w % 2},
            PadMode::kReflect);
    const Tensor rough = unet1(bordered);
    const Tensor y = crop(trim(rough, 20) + unet2(rough), 0, 0, 2 * h, 2 * w);
    return pro ? affine(y, 1 / 0.7f, -0.15f / 0.7f) : y;
  }

  UNet1 unet1;
  UNet2 unet2;
  bool pro;
};

Architecture upcunet();

}  // namespace mend
