// PReNet (Ren et al. 2019, arXiv:1901.09221, Fig. 3) and SAPNet (Zheng et al. 2022,
// arXiv:2111.08892): take rain away in several passes of one network that remembers.
// Parameter names: the authors' PReNet and SAPNet. x: RGB in [0,1], [N,H,W,3]; y: like x, not clipped.
//
//  y₀ = x;   each pass:  concat(x, y) ─ conv0 ─ ConvLSTM (h, c) ─ res_conv1 ─ ... ─ res_conv5 ─ conv ─(+ x)─ y
//
// SAPNet's residual groups are dilated by 1, 2, 4, 8 and 16 and weigh their channels by the mean of
// the whole picture.
#pragma once

#include <optional>
#include <vector>

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

/// A convolution and what follows it in the same official Sequential, at index 0.
struct ConvLstm {
  struct State {
    Tensor h, c;
  };

  ConvLstm(const Scope& p, int channels)
      : conv_i(p / "conv_i" / 0, 2 * channels, channels),
        conv_f(p / "conv_f" / 0, 2 * channels, channels),
        conv_g(p / "conv_g" / 0, 2 * channels, channels),
        conv_o(p / "conv_o" / 0, 2 * channels, channels) {}

  /// Xingjian et al. 2015, arXiv:1506.04214, without peepholes. No state: all zeros.
  State operator()(const Tensor& x, const std::optional<State>& before) const {
    const Tensor seen = concat({x, before ? before->h : x * 0.0f});
    const Tensor written = sigmoid(conv_i(seen)) * tanh(conv_g(seen));
    const Tensor c = before ? sigmoid(conv_f(seen)) * before->c + written : written;
    return {sigmoid(conv_o(seen)) * tanh(c), c};
  }

  Conv2d conv_i, conv_f, conv_g, conv_o;
};

/// SAPNet's channel weights: sigmoid(up(relu(down(mean))) + conv_1_1(mean)).
struct CRALayer {
  CRALayer(const Scope& p, int channels, int reduced)
      : down(p / "conv_du" / 0, channels, reduced, 1, {.bias = false}),
        up(p / "conv_du" / 2, reduced, channels, 1, {.bias = false}),
        conv_1_1(p / "conv_1_1", channels, channels, 1, {.bias = false}) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor mean = global_average_pool(x);
    return x * sigmoid(up(relu(down(mean))) + conv_1_1(mean));
  }

  Conv2d down, up, conv_1_1;
};

/// relu(x + relu(conv(relu(conv(x))))), in SAPNet with channel weights behind each convolution.
struct RainResidual {
  /// reduced: channels inside the channel weights; 0: none, PReNet.
  RainResidual(const Scope& p, int channels, int dilation, int reduced)
      : first(p / 0, channels, channels, 3, {.dilation = dilation}),
        second(p / (reduced > 0 ? 3 : 2), channels, channels, 3, {.dilation = dilation}) {
    if (reduced > 0) {
      first_weights.emplace(p / 1, channels, reduced);
      second_weights.emplace(p / 4, channels, reduced);
    }
  }

  Tensor operator()(const Tensor& x) const {
    const Tensor one = first(x);
    const Tensor two = second(relu(first_weights ? (*first_weights)(one) : one));
    return relu(relu(second_weights ? (*second_weights)(two) : two) + x);
  }

  Conv2d first, second;
  std::optional<CRALayer> first_weights, second_weights;
};

struct PReNet {
  struct Hyper {
    int channels = 32, recurrent_iter = 6, groups = 5;
    int reduced = 0;  // of SAPNet's channel weights; 0: PReNet
    bool use_dilation = false;
  };

  PReNet(const Scope& p, const Hyper& h)
      : conv0(p / "conv0" / 0, 6, h.channels),
        lstm(p, h.channels),
        conv(p / "conv" / 0, h.channels, 3),
        passes(h.recurrent_iter) {
    for (int i = 0; i < h.groups; ++i) {
      res_conv.emplace_back(p / ("res_conv" + std::to_string(i + 1)), h.channels,
                            h.use_dilation ? 1 << i : 1, h.reduced);
    }
  }

  Tensor operator()(const Tensor& x) const {
    Tensor y = x;
    std::optional<ConvLstm::State> state;
    for (int i = 0; i < passes; ++i) {
      state = lstm(relu(conv0(concat({x, y}))), state);
      Tensor features = state->h;
      for (const RainResidual& group : res_conv) features = group(features);
      y = conv(features) + x;
    }
    return y;
  }

  Conv2d conv0;
  ConvLstm lstm;
  std::vector<RainResidual> res_conv;  // res_conv1, res_conv2, ...
  Conv2d conv;
  int passes;
};

Architecture prenet();
Architecture sapnet();

}  // namespace mend
