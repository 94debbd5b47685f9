// UpCUNet, the cascaded U-Net of waifu2x (nagadomi's CUNet, x2) and of Real-CUGAN (bilibili).
// Parameter names: Real-CUGAN's UpCunet2x, UpCunet3x and UpCunet4x.
// x: RGB in [0,1], [N,H,W,3]; y: [N,sH,sW,3], not clipped.
//
//  x2, x3:  x ─ reflect ─ UNet1: /2, x2, then xs more ─┬─ UNet2: /4, x4 ─(+)─ y
//                                                      └──── trim 20 ────┘
//  x4:      the same with s = 2 on 64 channels ─ conv_final ─ pixel shuffle 2 ─(+)─ y
//           x ─ nearest x4 ────────────────────────────────────────────────────┘
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

/// [N,H,W,3] -> [N,2H−32,2W−32,out], or [N,3H−44,3W−44,out] with the bottom of x3. H and W must be
/// even.
struct UNet1 {
  /// `bottom`: kernel, stride and padding of the transposed convolution.
  struct Bottom {
    int kernel, stride, padding;
  };

  UNet1(const Scope& p, const UNetConv::Widths& first, const UNetConv::Widths& second, int out,
        const Bottom& bottom)
      : conv1(p / "conv1", first),
        conv1_down(p / "conv1_down", first.out, first.out, 2, {.stride = 2, .padding = 0}),
        conv2(p / "conv2", second),
        conv2_up(p / "conv2_up", second.out, second.out, 2, {.stride = 2}),
        conv3(p / "conv3", second.out, second.out, 3, {.padding = 0}),
        conv_bottom(p / "conv_bottom", second.out, out, bottom.kernel,
                    {.stride = bottom.stride, .padding = bottom.padding}) {}

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

/// [N,H,W,in] -> [N,H−40,W−40,out]. H and W must be multiples of 4.
struct UNet2 {
  /// `alpha` scales the features before the last enlargement: Real-CUGAN's denoising strength.
  UNet2(const Scope& p, const UNetConv::Widths (&w)[4], int out, float denoise_strength)
      : conv1(p / "conv1", w[0]),
        conv1_down(p / "conv1_down", w[0].out, w[0].out, 2, {.stride = 2, .padding = 0}),
        conv2(p / "conv2", w[1]),
        conv2_down(p / "conv2_down", w[1].out, w[1].out, 2, {.stride = 2, .padding = 0}),
        conv3(p / "conv3", w[2]),
        conv3_up(p / "conv3_up", w[2].out, w[2].out, 2, {.stride = 2}),
        conv4(p / "conv4", w[3]),
        conv4_up(p / "conv4_up", w[3].out, w[3].out, 2, {.stride = 2}),
        conv5(p / "conv5", w[3].out, w[3].out, 3, {.padding = 0}),
        conv_bottom(p / "conv_bottom", w[3].out, out, 3, {.padding = 0}),
        alpha(denoise_strength) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor x1 = conv1(x);
    const Tensor x2 = conv2(lrelu(conv1_down(x1), 0.1f));
    const Tensor x3 = lrelu(conv3_up(conv3(lrelu(conv2_down(x2), 0.1f))), 0.1f);
    const Tensor gated = conv4(trim(x2, 4) + x3);
    const Tensor x4 = lrelu(conv4_up(alpha == 1 ? gated : alpha * gated), 0.1f);
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
  float alpha;
};

/// What the three networks differ in.
struct UpCunetKind {
  UNet1::Bottom bottom;
  int border;    // what is reflected around the picture
  int multiple;  // height and width are continued to one of these
};

struct UpCunet {
  struct Hyper {
    int scale = 2;
    UNetConv::Widths unet1[2], unet2[4];
    int channels = 3;  // between the U-Nets and behind; 64 for x4
    bool pro = false;  // trained on x·0.7 + 0.15
    float alpha = 1;
  };

  static UpCunetKind kind_of(int scale) {
    switch (scale) {
      case 3:
        return {{5, 3, 2}, 14, 4};
      case 4:
        return {{4, 2, 3}, 19, 2};
      default:
        return {{4, 2, 3}, 18, 2};
    }
  }

  UpCunet(const Scope& p, const Hyper& hyper)
      : scale(hyper.scale),
        unet1(p / "unet1", hyper.unet1[0], hyper.unet1[1], hyper.channels,
              kind_of(hyper.scale).bottom),
        unet2(p / "unet2", hyper.unet2, hyper.channels, hyper.alpha),
        pro(hyper.pro) {
    if (scale == 4) conv_final.emplace(p / "conv_final", hyper.channels, 12, 3, kNoPadding);
  }

  Tensor operator()(const Tensor& x) const {
    const auto [bottom, border, multiple] = kind_of(scale);
    const auto [n, h, w, c] = x.shape();
    const Tensor picture = pro ? affine(x, 0.7f, 0.15f) : x;
    const auto after = [&](int extent) {
      return border + (multiple - extent % multiple) % multiple;
    };
    const Tensor rough =
        unet1(pad(picture, {border, after(h), border, after(w)}, PadMode::kReflect));
    Tensor y = trim(rough, 20) + unet2(rough);
    if (conv_final) y = pixel_shuffle(trim((*conv_final)(y), 1), 2);
    y = crop(y, 0, 0, scale * h, scale * w);
    if (conv_final) y = y + upsample_nearest(picture, 4);
    return pro ? affine(y, 1 / 0.7f, -0.15f / 0.7f) : y;
  }

  static constexpr Conv2dOptions kNoPadding{.padding = 0};
  int scale;
  UNet1 unet1;
  UNet2 unet2;
  std::optional<Conv2d> conv_final;
  bool pro;
};

Architecture upcunet();

}  // namespace mend
