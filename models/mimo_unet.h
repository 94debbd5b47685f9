// MIMO-UNet and MIMO-UNet+ (Cho et al. 2021, arXiv:2108.05054, Fig. 2): deblurs at three sizes at once.
// Parameter names: the authors' MIMOUNet. x: RGB in [0,1], [N,H,W,3]; y: like x, not clipped, and the
// results of half and of a quarter of the size.
//
//  x ─── feat_extract.0 ─ Encoder.0 ─┬─ .1 ─ FAM2 ─ Encoder.1 ─┬─ .2 ─ FAM1 ─ Encoder.2
//  x/2 ─ SCM2 ───────────────────────┼───────┘                 │       │        │
//  x/4 ─ SCM1 ───────────────────────┼─────────────────────────┼───────┘     Decoder.0 ─(+ x/4)─ quarter
//                                 AFFs.0                    AFFs.1              │ x2
//                                    │                         └── Convs.0 ─ Decoder.1 ─(+ x/2)─ half
//                                    └──────────────────────────── Convs.1 ─ Decoder.2 ─(+ x)─ y
//
// Smaller pictures are every second pixel. Other sizes than multiples of 4 are continued by mirroring.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "layers/conv2d.h"
#include "layers/conv_transpose2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

/// A convolution (`main.0`) and, if asked for, a rectifier. The authors' BasicConv.
struct BasicConv {
  BasicConv(const Scope& p, int in, int out, int kernel, bool rectified, int stride = 1)
      : conv(p / "main" / 0, in, out, kernel, {.stride = stride}), relu_behind(rectified) {}

  Tensor operator()(const Tensor& x) const { return relu_behind ? relu(conv(x)) : conv(x); }

  Conv2d conv;
  bool relu_behind;
};

/// A transposed 4x4 convolution of stride 2 and a rectifier: twice the size.
struct BasicUpConv {
  BasicUpConv(const Scope& p, int in, int out)
      : conv(p / "main" / 0, in, out, 4, {.stride = 2, .padding = 1}) {}

  Tensor operator()(const Tensor& x) const { return relu(conv(x)); }

  ConvTranspose2d conv;
};

/// EBlock and DBlock: residual blocks in a row.
struct MimoBlocks {
  MimoBlocks(const Scope& p, int channels, int num_res) {
    for (int i = 0; i < num_res; ++i) {
      const Scope main = p / "layers" / i / "main";
      layers.emplace_back(BasicConv(main / 0, channels, channels, 3, true),
                          BasicConv(main / 1, channels, channels, 3, false));
    }
  }

  Tensor operator()(Tensor x) const {
    for (const auto& [first, second] : layers) x = second(first(x)) + x;
    return x;
  }

  std::vector<std::pair<BasicConv, BasicConv>> layers;
};

/// Asymmetric feature fusion: the features of all three sizes, brought to one (Fig. 2, right).
struct AFF {
  AFF(const Scope& p, int in, int out)
      : conv0(p / "conv" / 0, in, out, 1, true), conv1(p / "conv" / 1, out, out, 3, false) {}

  Tensor operator()(const Tensor& full, const Tensor& half, const Tensor& quarter) const {
    return conv1(conv0(concat({full, half, quarter})));
  }

  BasicConv conv0, conv1;
};

/// Shallow convolutional module: features of a smaller picture.
struct SCM {
  SCM(const Scope& p, int out)
      : main0(p / "main" / 0, 3, out / 4, 3, true),
        main1(p / "main" / 1, out / 4, out / 2, 1, true),
        main2(p / "main" / 2, out / 2, out / 2, 3, true),
        main3(p / "main" / 3, out / 2, out - 3, 1, true),
        conv(p / "conv", out, out, 1, false) {}

  Tensor operator()(const Tensor& x) const {
    return conv(concat({x, main3(main2(main1(main0(x))))}));
  }

  BasicConv main0, main1, main2, main3, conv;
};

/// Feature attention module: the smaller picture's features emphasise the encoder's.
struct FAM {
  FAM(const Scope& p, int channels) : merge(p / "merge", channels, channels, 3, false) {}

  Tensor operator()(const Tensor& x, const Tensor& smaller) const { return x + merge(x * smaller); }

  BasicConv merge;
};

struct MIMOUNet {
  struct Hyper {
    int base_channel = 32, num_res = 8;
  };

  MIMOUNet(const Scope& p, const Hyper& h)
      : MIMOUNet(p, h.base_channel, 2 * h.base_channel, 4 * h.base_channel, h.num_res) {}

  /// -> y, half and quarter
  std::vector<Tensor> operator()(const Tensor& image) const {
    const Tensor x = pad_to_multiple(image, 4, PadMode::kReflect);
    const auto halved = [](const Tensor& t) { return spread(t, t.shape().h / 2, t.shape().w / 2); };
    const Tensor x_2 = halved(x), x_4 = halved(x_2);
    const Tensor enc0 = encoder0(extract0(x));
    const Tensor enc1 = encoder1(fam2(extract1(enc0), scm2(x_2)));
    const Tensor enc2 = encoder2(fam1(extract2(enc1), scm1(x_4)));
    const Tensor enc2_half = upsample_nearest(enc2, 2);
    const Tensor skip1 = aff1(halved(enc0), enc1, enc2_half);
    const Tensor skip0 = aff0(enc0, upsample_nearest(enc1, 2), upsample_nearest(enc2_half, 2));

    const Tensor dec0 = decoder0(enc2);
    const Tensor dec1 = decoder1(convs0(concat({extract3(dec0), skip1})));
    const Tensor dec2 = decoder2(convs1(concat({extract4(dec1), skip0})));
    const auto fitted = [&](const Tensor& y, int part) {
      const auto [n, h, w, c] = image.shape();
      return crop(y, 0, 0, (h + part - 1) / part, (w + part - 1) / part);
    };
    return {fitted(extract5(dec2) + x, 1), fitted(convs_out1(dec1) + x_2, 2),
            fitted(convs_out0(dec0) + x_4, 4)};
  }

  BasicConv extract0, extract1, extract2;  // feat_extract.0 ...
  BasicUpConv extract3, extract4;
  BasicConv extract5;
  MimoBlocks encoder0, encoder1, encoder2, decoder0, decoder1, decoder2;
  BasicConv convs0, convs1, convs_out0, convs_out1;
  AFF aff0, aff1;
  FAM fam1, fam2;
  SCM scm1, scm2;

 private:
  /// c, c2, c4: channels at full, half and quarter size.
  MIMOUNet(const Scope& p, int c, int c2, int c4, int num_res)
      : extract0(p / "feat_extract" / 0, 3, c, 3, true),
        extract1(p / "feat_extract" / 1, c, c2, 3, true, 2),
        extract2(p / "feat_extract" / 2, c2, c4, 3, true, 2),
        extract3(p / "feat_extract" / 3, c4, c2),
        extract4(p / "feat_extract" / 4, c2, c),
        extract5(p / "feat_extract" / 5, c, 3, 3, false),
        encoder0(p / "Encoder" / 0, c, num_res),
        encoder1(p / "Encoder" / 1, c2, num_res),
        encoder2(p / "Encoder" / 2, c4, num_res),
        decoder0(p / "Decoder" / 0, c4, num_res),
        decoder1(p / "Decoder" / 1, c2, num_res),
        decoder2(p / "Decoder" / 2, c, num_res),
        convs0(p / "Convs" / 0, c4, c2, 1, true),
        convs1(p / "Convs" / 1, c2, c, 1, true),
        convs_out0(p / "ConvsOut" / 0, c4, 3, 3, false),
        convs_out1(p / "ConvsOut" / 1, c2, 3, 3, false),
        aff0(p / "AFFs" / 0, c + c2 + c4, c),
        aff1(p / "AFFs" / 1, c + c2 + c4, c2),
        fam1(p / "FAM1", c4),
        fam2(p / "FAM2", c2),
        scm1(p / "SCM1", c4),
        scm2(p / "SCM2", c2) {}
};

Architecture mimo_unet();

}  // namespace mend
