// DMPHN(1-2-4) (Zhang et al. 2019, arXiv:1904.03468, Fig. 2): deblurs quarters, then halves, then the
// whole picture, each level adding to what the one below found. Parameter names: the authors' files
// encoder_lv1 ... decoder_lv3, whose names precede theirs. x: RGB in [0,1], [N,H,W,3]; y: like x.
//
//  level 3: quarters ─ encoder_lv3 ═ joined to halves ─┬─ decoder_lv3 ─┐
//  level 2: halves ───────────────────(+)─ encoder_lv2 ─(+)═ joined ─┬─ decoder_lv2 ─┐
//                                      └── of decoder_lv3            │               │
//  level 1: whole ────────────────────────(+ of decoder_lv2)─ encoder_lv1 ─(+)─ decoder_lv1 ─ y
//
// The parts of a picture are images of a batch: each is continued by zeros of its own.
#pragma once

#include <vector>

#include "layers/conv2d.h"
#include "layers/conv_transpose2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

struct DMPHN {
  struct Hyper {
    int channels[3] = {32, 64, 128};
  };

  /// x + conv(relu(conv(x)))
  struct Residual {
    Residual(const Scope& p, int channels)
        : conv0(p / 0, channels, channels), conv2(p / 2, channels, channels) {}
    Tensor operator()(const Tensor& x) const { return conv2(relu(conv0(x))) + x; }
    Conv2d conv0, conv2;
  };

  /// Two residual pairs: layer<first> and layer<first + 1>.
  struct Pair {
    Pair(const Scope& p, int first, int channels)
        : one(p / layer(first), channels), two(p / layer(first + 1), channels) {}
    Tensor operator()(const Tensor& x) const { return two(one(x)); }
    Residual one, two;
  };

  struct Encoder {
    Encoder(const Scope& p, const Hyper& h)
        : layer1(p / "layer1", 3, h.channels[0]),
          pair2(p, 2, h.channels[0]),
          layer5(p / "layer5", h.channels[0], h.channels[1], 3, {.stride = 2}),
          pair6(p, 6, h.channels[1]),
          layer9(p / "layer9", h.channels[1], h.channels[2], 3, {.stride = 2}),
          pair10(p, 10, h.channels[2]) {}
    Tensor operator()(const Tensor& x) const {
      return pair10(layer9(pair6(layer5(pair2(layer1(x))))));
    }
    Conv2d layer1;
    Pair pair2;
    Conv2d layer5;
    Pair pair6;
    Conv2d layer9;
    Pair pair10;
  };

  struct Decoder {
    Decoder(const Scope& p, const Hyper& h)
        : pair13(p, 13, h.channels[2]),
          layer16(p / "layer16", h.channels[2], h.channels[1], 4, {.stride = 2, .padding = 1}),
          pair17(p, 17, h.channels[1]),
          layer20(p / "layer20", h.channels[1], h.channels[0], 4, {.stride = 2, .padding = 1}),
          pair21(p, 21, h.channels[0]),
          layer24(p / "layer24", h.channels[0], 3) {}
    Tensor operator()(const Tensor& x) const {
      return layer24(pair21(layer20(pair17(layer16(pair13(x))))));
    }
    Pair pair13;
    ConvTranspose2d layer16;
    Pair pair17;
    ConvTranspose2d layer20;
    Pair pair21;
    Conv2d layer24;
  };

  DMPHN(const Scope& p, const Hyper& h)
      : encoder_lv1(p / "encoder_lv1", h),
        encoder_lv2(p / "encoder_lv2", h),
        encoder_lv3(p / "encoder_lv3", h),
        decoder_lv1(p / "decoder_lv1", h),
        decoder_lv2(p / "decoder_lv2", h),
        decoder_lv3(p / "decoder_lv3", h) {}

  Tensor operator()(const Tensor& image) const {
    // Quarters must be multiples of 4, as the encoders halve them twice.
    const Tensor x = pad_to_multiple(image - 0.5f, 8, PadMode::kReflect);
    const auto [n, h, w, c] = x.shape();
    const Tensor halves = window_partition(x, h / 2, w);
    const Tensor quarters = window_partition(x, h / 2, w / 2);
    const Tensor features3 = window_merge(encoder_lv3(quarters), h / 8, w / 4);
    const Tensor features2 = encoder_lv2(halves + decoder_lv3(features3)) + features3;
    const Tensor joined2 = window_merge(features2, h / 4, w / 4);
    const Tensor residual2 = decoder_lv2(joined2);
    const Tensor y = decoder_lv1(encoder_lv1(x + residual2) + joined2) + 0.5f;
    return crop(y, 0, 0, image.shape().h, image.shape().w);
  }

  static std::string layer(int number) { return "layer" + std::to_string(number); }

  Encoder encoder_lv1, encoder_lv2, encoder_lv3;
  Decoder decoder_lv1, decoder_lv2, decoder_lv3;
};

Architecture dmphn();

}  // namespace mend
