// RetinaFace, which finds faces and five points of each (Deng et al. 2019, arXiv:1905.00641, Fig. 2),
// with a ResNet-50 (He et al. 2015, arXiv:1512.03385) or a MobileNet of a quarter of the width (Howard
// et al. 2017, arXiv:1704.04861) before it. Parameter names: facexlib's RetinaFace, which GFPGAN and
// CodeFormer use. x: BGR in 0..255 minus (104, 117, 123), [N,H,W,3].
//
//  x ─ conv1 /2 ─ max /2 ─ layer1 ─ layer2 /2 ─ layer3 /2 ─ layer4 /2
//                                     │            │           │
//       fpn:          merge1 ─(+)─ output1  ┌─ output2       output3      1/8, 1/16, 1/32 of x
//                       │      └─ x2 ─ merge2 ─(+)─ x2 ────────┤
//                      ssh1              ssh2                 ssh3
//                    heads 0           heads 1              heads 2      each: boxes, classes, points
//
// Outputs, for the three sizes fine to coarse, before decoding (restore/face_detector.h does that):
// loc [N,h,w,anchors·4], conf [N,h,w,anchors·2], the probabilities of background and face, and
// landmarks [N,h,w,anchors·10]; h = ⌈H/8⌉, ⌈H/16⌉, ⌈H/32⌉. The official code has the same numbers in
// the same order as rows, all three sizes in one tensor.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "layers/batch_norm2d.h"
#include "layers/conv2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

/// Boxes that are adjusted, at each pixel of each size.
constexpr int kRetinaAnchors = 2;

/// A convolution without bias, its batch norm, and (but for the `linear` ones) a leaky ReLU.
struct RetinaConv {
  RetinaConv(const Scope& p, int in, int out, int kernel, std::optional<float> activation_slope,
             int stride = 1)
      : conv(p / 0, in, out, kernel, {.stride = stride, .bias = false}),
        bn(p / 1, out),
        slope(activation_slope) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor y = bn(conv(x));
    return slope ? lrelu(y, *slope) : y;
  }

  Conv2d conv;
  BatchNorm2d bn;
  std::optional<float> slope;
};

/// 1x1 ─ 3x3 ─ 1x1 to four times the width, added to x, or to its projection where the shape changes.
struct Bottleneck {
  Bottleneck(const Scope& p, int in, int planes, int stride);

  Tensor operator()(const Tensor& x) const {
    const Tensor y = bn3(conv3(relu(bn2(conv2(relu(bn1(conv1(x))))))));
    return relu(y + (downsample_0 ? (*downsample_1)((*downsample_0)(x)) : x));
  }

  Conv2d conv1;
  BatchNorm2d bn1;
  Conv2d conv2;
  BatchNorm2d bn2;
  Conv2d conv3;
  BatchNorm2d bn3;
  std::optional<Conv2d> downsample_0;
  std::optional<BatchNorm2d> downsample_1;
};

/// Depthwise 3x3 ─ 1x1, each with its batch norm and a leaky ReLU.
struct MobileBlock {
  MobileBlock(const Scope& p, int in, int out, int stride)
      : conv_0(p / 0, in, in, 3, {.stride = stride, .groups = in, .bias = false}),
        conv_1(p / 1, in),
        conv_3(p / 3, in, out, 1, {.bias = false}),
        conv_4(p / 4, out) {}

  Tensor operator()(const Tensor& x) const {
    return lrelu(conv_4(conv_3(lrelu(conv_1(conv_0(x)), 0.1f))), 0.1f);
  }

  Conv2d conv_0;
  BatchNorm2d conv_1;
  Conv2d conv_3;
  BatchNorm2d conv_4;
};

/// facexlib's MobileNetV1: three stages that end at 1/8, 1/16 and 1/32 of x, with 8, 16 and 32 times
/// `width` channels.
struct MobileBody {
  MobileBody(const Scope& p, int width);
  std::vector<Tensor> operator()(const Tensor& x) const;

  RetinaConv stage1_0;
  std::vector<std::vector<MobileBlock>> stages;
};

struct RetinaFace {
  struct Hyper {
    bool mobile = false;
    int width = 64;  // of the first convolution; ResNet's layer i has 4·width·2^(i − 1)
    std::vector<int> layers = {3, 4, 6, 3};  // of the ResNet
    int out_channel = 256;

    /// Slope of the leaky ReLUs behind the backbone.
    float slope() const { return out_channel <= 64 ? 0.1f : 0.0f; }
  };

  /// What ResNet's layer2, layer3 and layer4 make.
  struct Body {
    Body(const Scope& p, const Hyper& hyper);
    std::vector<Tensor> operator()(const Tensor& x) const;

    Conv2d conv1;
    BatchNorm2d bn1;
    std::vector<std::vector<Bottleneck>> layers;  // layer1 ... layer4
  };

  /// Feature pyramid (Lin et al. 2017, arXiv:1612.03144).
  struct Fpn {
    Fpn(const Scope& p, const Hyper& hyper);
    std::vector<Tensor> operator()(const std::vector<Tensor>& x) const;

    RetinaConv output1, output2, output3, merge1, merge2;
  };

  /// Context modules: 3x3, two and three of them (Najibi et al. 2017, arXiv:1708.03979).
  struct Ssh {
    Ssh(const Scope& p, const Hyper& hyper);
    Tensor operator()(const Tensor& x) const;

    RetinaConv conv3X3, conv5X5_1, conv5X5_2, conv7X7_2, conv7x7_3;
  };

  RetinaFace(const Scope& p, const Hyper& hyper);

  /// -> loc of the three sizes, conf of the three, landmarks of the three
  std::vector<Tensor> operator()(const Tensor& x) const;

  std::variant<Body, MobileBody> body;
  Fpn fpn;
  std::vector<Ssh> ssh;  // ssh1, ssh2, ssh3
  std::vector<Conv2d> ClassHead, BboxHead, LandmarkHead;
};

Architecture retinaface();

}  // namespace mend
