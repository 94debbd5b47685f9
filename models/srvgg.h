// SRVGGNetCompact, the small network of Real-ESRGAN (Wang et al. 2021, arXiv:2107.10833) for
// everyday pictures and anime video. Parameter names: BasicSR's SRVGGNetCompact.
// x: RGB in [0,1], [N,H,W,3]; y: [N,sH,sW,3], not clipped.
//
//  x ─┬─ conv ─ act ─ (conv ─ act) x num_conv ─ conv ─ pixel shuffle s ─(+)─ y
//     └───────────────────── nearest x s ────────────────────────────────┘
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "layers/prelu.h"
#include "models/architecture.h"

namespace mend {

struct SRVGGNetCompact {
  struct Hyper {
    int num_in_ch = 3, num_out_ch = 3, num_feat = 64, num_conv = 16, upscale = 4;
    std::string act_type = "prelu";  // "relu", "prelu", "leakyrelu"
  };

  /// A convolution and its activation: entries 2i and 2i + 1 of the official flat list `body`.
  struct Layer {
    Layer(const Scope& body, int index, int in, int out, const std::string& act_type)
        : conv(body / index, in, out), slope(act_type == "leakyrelu" ? 0.1f : 0.0f) {
      if (act_type == "prelu") prelu.emplace(body / (index + 1), out);
    }

    Tensor operator()(const Tensor& x) const {
      const Tensor z = conv(x);
      if (prelu) return (*prelu)(z);
      return slope > 0 ? lrelu(z, slope) : relu(z);
    }

    Conv2d conv;
    std::optional<PRelu> prelu;
    float slope;
  };

  SRVGGNetCompact(const Scope& p, const Hyper& hyper)
      : upscale(hyper.upscale),
        last(p / "body" / (2 * hyper.num_conv + 2), hyper.num_feat,
             hyper.num_out_ch * upscale * upscale) {
    body.emplace_back(p / "body", 0, hyper.num_in_ch, hyper.num_feat, hyper.act_type);
    for (int i = 1; i <= hyper.num_conv; ++i) {
      body.emplace_back(p / "body", 2 * i, hyper.num_feat, hyper.num_feat, hyper.act_type);
    }
  }

  Tensor operator()(const Tensor& x) const {
    Tensor y = x;
    for (const Layer& layer : body) y = layer(y);
    return pixel_shuffle(last(y), upscale) + upsample_nearest(x, upscale);
  }

  int upscale;
  std::vector<Layer> body;
  Conv2d last;
};

Architecture srvgg();

}  // namespace mend
