// Colorful Image Colorization (Zhang et al. 2016, arXiv:1603.08511, Fig. 2).
// Parameter names: the authors' ECCVGenerator. x: CIE L* in [0,100], [N,H,W,1]; y: a*b* in about
// [-110,110], [N,H',W',2] with H' = 8·⌈H/8⌉, W' = 8·⌈W/8⌉: the sides go up to multiples of 8.
//
//  x ─ model1 /2 ─ model2 /2 ─ model3 /2 ─ model4 ─ model5 ─ model6 ─ model7 ─ model8 x2 ─┐
//      2 conv      2           3           3        3 dilated by 2    3        3          │
//                      y ─ bilinear x4 ─ model_out: expected colour ─ softmax over 313 ───┘
//
// The halvings are the strides of the last convolutions of a stage; trained on 256 x 256 pixels.
#pragma once

#include <optional>
#include <vector>

#include "layers/batch_norm2d.h"
#include "layers/conv2d.h"
#include "layers/conv_transpose2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

/// Convolutions, each with a ReLU behind it, and a batch norm: entries 0, 2, ... of an official
/// nn.Sequential. Also the trunk of SIGGRAPH17.
struct ColorizerStage {
  struct Options {
    int convolutions = 3;
    int last_stride = 1;
    int dilation = 1;
  };

  ColorizerStage(const Scope& p, int in, int out, const Options& options)
      : norm(p / (2 * options.convolutions), out) {
    for (int i = 0; i < options.convolutions; ++i) {
      const bool last = i + 1 == options.convolutions;
      convs.emplace_back(
          p / (2 * i), i == 0 ? in : out, out, 3,
          Conv2dOptions{.stride = last ? options.last_stride : 1, .dilation = options.dilation});
    }
  }

  Tensor operator()(const Tensor& x) const {
    Tensor y = x;
    for (const Conv2d& conv : convs) y = relu(conv(y));
    return norm(y);
  }

  std::vector<Conv2d> convs;
  BatchNorm2d norm;
};

struct ECCV16 {
  struct Hyper {
    std::vector<int> widths = {64, 128, 256, 512, 512, 512, 512, 256};  // of model1 to model8
    int classes = 313;  // how finely the plane of a* and b* is cut
  };

  ECCV16(const Scope& p, const Hyper& hyper)
      : model1(p / "model1", 1, hyper.widths[0], {.convolutions = 2, .last_stride = 2}),
        model2(p / "model2", hyper.widths[0], hyper.widths[1],
               {.convolutions = 2, .last_stride = 2}),
        model3(p / "model3", hyper.widths[1], hyper.widths[2], {.last_stride = 2}),
        model4(p / "model4", hyper.widths[2], hyper.widths[3], {}),
        model5(p / "model5", hyper.widths[3], hyper.widths[4], {.dilation = 2}),
        model6(p / "model6", hyper.widths[4], hyper.widths[5], {.dilation = 2}),
        model7(p / "model7", hyper.widths[5], hyper.widths[6], {}),
        model8_0(p / "model8" / 0, hyper.widths[6], hyper.widths[7], 4,
                 {.stride = 2, .padding = 1}),
        model8_2(p / "model8" / 2, hyper.widths[7], hyper.widths[7]),
        model8_4(p / "model8" / 4, hyper.widths[7], hyper.widths[7]),
        model8_6(p / "model8" / 6, hyper.widths[7], hyper.classes, 1),
        model_out(p / "model_out", hyper.classes, 2, 1, {.bias = false}) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor deep =
        model7(model6(model5(model4(model3(model2(model1(affine(x, 0.01f, -0.5f))))))));
    const Tensor logits = model8_6(relu(model8_4(relu(model8_2(relu(model8_0(deep)))))));
    const Tensor ab = model_out(softmax(logits));  // [N,H/4,W/4,2], in units of 110
    return 110.0f * resize_bilinear(ab, 4 * ab.shape().h, 4 * ab.shape().w);
  }

  ColorizerStage model1, model2, model3, model4, model5, model6, model7;
  ConvTranspose2d model8_0;
  Conv2d model8_2, model8_4, model8_6, model_out;
};

Architecture eccv16();

}  // namespace mend
