// ESPCN, which brought pixel shuffle (Shi et al. 2016, arXiv:1609.05158, Fig. 1). Parameter names:
// the widely used PyTorch definition (yjn870). x: luma / 255, [N,H,W,1]; y: [N,sH,sW,1], not clipped.
//
//  x ─ conv 5x5 ─ tanh ─ conv 3x3 ─ tanh ─ conv 3x3 ─ pixel shuffle s ─ y
#pragma once

#include <string>

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

struct ESPCN {
  struct Hyper {
    int scale_factor = 3, num_channels = 1;
    int widths[2] = {64, 32};
    std::string activation = "tanh";         // or "relu", which later copies use
    std::string output_activation = "none";  // or "tanh", which OpenCV's copy ends in
  };

  ESPCN(const Scope& p, const Hyper& hyper)
      : first_part0(p / "first_part" / 0, hyper.num_channels, hyper.widths[0], 5),
        first_part2(p / "first_part" / 2, hyper.widths[0], hyper.widths[1], 3),
        last_part0(p / "last_part" / 0, hyper.widths[1],
                   hyper.num_channels * hyper.scale_factor * hyper.scale_factor, 3),
        scale_factor(hyper.scale_factor),
        rectified(hyper.activation == "relu"),
        bounded(hyper.output_activation == "tanh") {}

  Tensor operator()(const Tensor& x) const {
    const Tensor y = activate(first_part2(activate(first_part0(x))));
    const Tensor enlarged = pixel_shuffle(last_part0(y), scale_factor);
    return bounded ? tanh(enlarged) : enlarged;
  }

  Tensor activate(const Tensor& x) const { return rectified ? relu(x) : tanh(x); }

  Conv2d first_part0, first_part2, last_part0;
  int scale_factor;
  bool rectified, bounded;
};

Architecture espcn();

}  // namespace mend
