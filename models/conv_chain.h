// A plain chain of 3x3 convolutions, the trunk of DnCNN, IRCNN, FFDNet and SRMD.
// Parameter names: KAIR's B.sequential, which counts every module of the flat list `model`.
//
//  x ─ conv ─ act ─ (conv ─ (batch norm) ─ act) x (nb − 2) ─ conv ─ y
//
//  "R"  : model.0 conv, 1 ReLU | 2 conv, 3 ReLU | 4 conv ...
//  "BR" : model.0 conv, 1 ReLU | 2 conv, 3 batch norm, 4 ReLU | 5 conv ...
//  "L", "BL": the same with leaky rectifiers, slope 0.2
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "layers/batch_norm2d.h"
#include "layers/conv2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

struct ConvChain {
  struct Hyper {
    int in_nc = 1, out_nc = 1, nc = 64, nb = 17;
    std::string act_mode = "R";
    std::vector<int> dilations = {};  // one a convolution; empty: all 1
  };

  struct Layer {
    Layer(const Scope& model, int index, int in, int out, int dilation, bool normalise)
        : conv(model / index, in, out, 3, {.dilation = dilation}) {
      // KAIR's epsilon is 1e-4, not PyTorch's default.
      if (normalise) norm.emplace(model / (index + 1), out, 1e-4f);
    }

    Tensor operator()(const Tensor& x) const { return norm ? (*norm)(conv(x)) : conv(x); }

    Conv2d conv;
    std::optional<BatchNorm2d> norm;
  };

  ConvChain(const Scope& p, const Hyper& hyper) : leaky(hyper.act_mode.ends_with("L")) {
    const bool normalise = hyper.act_mode.starts_with("B");
    int index = 0;
    for (int i = 0; i < hyper.nb; ++i) {
      const bool first = i == 0, last = i + 1 == hyper.nb;
      const bool norm = normalise && !first && !last;
      model.emplace_back(p / "model", index, first ? hyper.in_nc : hyper.nc,
                         last ? hyper.out_nc : hyper.nc,
                         hyper.dilations.empty() ? 1 : hyper.dilations[i], norm);
      index += norm ? 3 : 2;
    }
  }

  Tensor operator()(const Tensor& x) const {
    Tensor y = model.front()(x);
    for (std::size_t i = 1; i < model.size(); ++i) y = model[i](leaky ? lrelu(y) : relu(y));
    return y;
  }

  bool leaky;
  std::vector<Layer> model;
};

/// The hyper-parameters if the keys are those of a chain (dilations and the kind of rectifiers are not
/// in the file).
std::optional<ConvChain::Hyper> recognise_chain(const Checkpoint& checkpoint);

/// The entries in_nc, out_nc, nc, nb, act_mode, checked.
ConvChain::Hyper chain_hyper(const Json& hyper);

}  // namespace mend
