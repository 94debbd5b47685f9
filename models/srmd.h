// SRMD, super-resolution for multiple degradations (Zhang et al. 2018, arXiv:1712.06116, Fig. 2).
// It is told the blur kernel and the noise level. Parameter names: KAIR's SRMD.
// x: [N,H,W,19]: RGB in [0,1], 15 coefficients of the 15x15 blur kernel in the authors' PCA basis,
// and sigma in the units of RGB, the last 16 the same everywhere; y: [N,sH,sW,3], not clipped.
//
//  x ─ ConvChain ─ pixel shuffle s ─ y
#pragma once

#include <array>

#include "models/conv_chain.h"

namespace mend {

struct SRMD {
  /// The coefficients of a delta kernel (no blur but the bicubic of the degradation model): the
  /// middle column of the authors' 15 x 225 PCA matrix.
  static constexpr std::array<float, 15> kNoBlur = {
      -1.12360956e-08f, -1.36899159e-08f, 1.85637958e-02f,  2.86066886e-08f,  3.35292965e-02f,
      8.37272935e-08f,  -2.54424021e-07f, -3.16234976e-02f, -1.35169253e-02f, -1.10466090e-08f,
      3.84753793e-02f,  3.79465739e-08f,  -2.44916752e-01f, -8.02213490e-01f, -5.40549755e-01f};

  struct Hyper {
    int in_nc = 19, out_nc = 3, nc = 128, nb = 12, upscale = 2;
    std::string act_mode = "R";
  };

  SRMD(const Scope& p, const Hyper& hyper)
      : upscale(hyper.upscale),
        model(p, {.in_nc = hyper.in_nc,
                  .out_nc = hyper.out_nc * upscale * upscale,
                  .nc = hyper.nc,
                  .nb = hyper.nb,
                  .act_mode = hyper.act_mode}) {}

  Tensor operator()(const Tensor& x) const { return pixel_shuffle(model(x), upscale); }

  int upscale;
  ConvChain model;
};

Architecture srmd();

}  // namespace mend
