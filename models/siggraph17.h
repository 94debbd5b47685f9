// Real-Time User-Guided Image Colorization (Zhang et al. 2017, arXiv:1705.02999, Fig. 3).
// Parameter names: the authors' SIGGRAPHGenerator. x: CIE L* in [0,100], [N,H,W,1], sides multiples
// of 8. Optional hints: ab, the a*b* that a user chose, [N,H,W,2], and mask, 1 where he did and 0
// elsewhere, [N,H,W,1]. y: a*b* in [-110,110], [N,H,W,2].
//
//  x, ab, mask ─ model1 ─┬─ /2 ─ model2 ─┬─ /2 ─ model3 ─┬─ /2 ─ model4 ─ 5 ─ 6 ─ 7 ─┐
//                 model1short10    model2short9    model3short8                     x2 model8up
//                        │               │               └─────────────────(+)───────┘
//                        │               └─── (+) ─ model9up x2 ─ model8 ───┘
//  y ─ tanh ─ model_out ─┴ model10 ─ (+) ─ model10up x2 ─ model9 ┘
//
// Halving keeps every second pixel. model5 and model6 are dilated by 2. The branch model_class, a
// distribution over colours for the user interface, is loaded, but y does not need it.
#pragma once

#include "models/eccv16.h"

namespace mend {

struct SIGGRAPH17 {
  struct Hyper {
    std::vector<int> widths = {64, 128, 256, 512, 512, 512, 512, 256, 128, 128};  // model1 to 10
    int classes = 529;
  };

  SIGGRAPH17(const Scope& p, const Hyper& hyper)
      : SIGGRAPH17(p, hyper.widths.data() - 1, hyper.classes) {}

  Tensor operator()(const Tensor& x, const Tensor& ab, const Tensor& mask) const {
    const Tensor conv1 = model1(concat({affine(x, 0.01f, -0.5f), 1.0f / 110 * ab, mask}));
    const Tensor conv2 = model2(every_second(conv1));
    const Tensor conv3 = model3(every_second(conv2));
    const Tensor conv7 = model7(model6(model5(model4(every_second(conv3)))));
    const Tensor up8 = relu(model8up(conv7) + model3short8(conv3));
    const Tensor conv8 = model8_5(relu(model8_3(relu(model8_1(up8)))));
    const Tensor up9 = relu(model9up(conv8) + model2short9(conv2));
    const Tensor conv9 = model9_3(relu(model9_1(up9)));
    const Tensor up10 = relu(model10up(conv9) + model1short10(conv1));
    return 110.0f * tanh(model_out(lrelu(model10_1(up10))));
  }

  static Tensor every_second(const Tensor& x) { return max_pool(x, 1, 2); }

  ColorizerStage model1, model2, model3, model4, model5, model6, model7;
  ConvTranspose2d model8up;
  Conv2d model3short8, model8_1, model8_3;
  BatchNorm2d model8_5;
  ConvTranspose2d model9up;
  Conv2d model2short9, model9_1;
  BatchNorm2d model9_3;
  ConvTranspose2d model10up;
  Conv2d model1short10, model10_1, model_class, model_out;

 private:
  /// w[i]: channels of stage i, from 1 on as the official names count.
  SIGGRAPH17(const Scope& p, const int* w, int classes)
      : model1(p / "model1", 4, w[1], {.convolutions = 2}),
        model2(p / "model2", w[1], w[2], {.convolutions = 2}),
        model3(p / "model3", w[2], w[3], {}),
        model4(p / "model4", w[3], w[4], {}),
        model5(p / "model5", w[4], w[5], {.dilation = 2}),
        model6(p / "model6", w[5], w[6], {.dilation = 2}),
        model7(p / "model7", w[6], w[7], {}),
        model8up(p / "model8up" / 0, w[7], w[8], 4, kDoubling),
        model3short8(p / "model3short8" / 0, w[3], w[8]),
        model8_1(p / "model8" / 1, w[8], w[8]),
        model8_3(p / "model8" / 3, w[8], w[8]),
        model8_5(p / "model8" / 5, w[8]),
        model9up(p / "model9up" / 0, w[8], w[9], 4, kDoubling),
        model2short9(p / "model2short9" / 0, w[2], w[9]),
        model9_1(p / "model9" / 1, w[9], w[9]),
        model9_3(p / "model9" / 3, w[9]),
        model10up(p / "model10up" / 0, w[9], w[10], 4, kDoubling),
        model1short10(p / "model1short10" / 0, w[1], w[10]),
        model10_1(p / "model10" / 1, w[10], w[10]),
        model_class(p / "model_class" / 0, w[8], classes, 1),
        model_out(p / "model_out" / 0, w[10], 2, 1) {}

  static constexpr ConvTranspose2dOptions kDoubling = {.stride = 2, .padding = 1};
};

Architecture siggraph17();

}  // namespace mend
