// RDN, the residual dense network (Zhang et al. 2018, arXiv:1802.08797, Fig. 2), as idealo's
// image-super-resolution builds it. Parameter names: its Keras layers. x: RGB in [0,1], [N,H,W,3];
// y: [N,xH,xW,3], not clipped.
//
//  x ─ F_m1 ─┬─ F_0 ─ RDB 1 ─┬─ RDB 2 ─┬─ ... ─ RDB D ─┐
//            │               └─────────┴───── concat ──┴─ GFF_1 1x1 ─ GFF_2 ─(+)─ UPN ─ y
//            └───────────────────────────────────────────────────────────────┘
//  RDB d:  ─┬─ F_d_1 ─ ReLU ─ ... ─ F_d_C ─ ReLU ─ LFF_d 1x1 ─(+)─   each sees all before it
//           └──────────────────────────────────────────────────┘
//  UPN:    ─ UPN1 5x5 ─ ReLU ─ UPN2 ─ ReLU ─ UPN3 ─ repeat every pixel, factor x ─ SR ─
//
// Fig. 2 enlarges by a pixel shuffle. This code repeats pixels instead ("ups", its default), though
// UPN3 keeps the 3·x² channels that a shuffle would take.
#pragma once

#include <string>
#include <vector>

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

struct RDN {
  /// The names of the authors' constructor: C convolutions of G channels in each of D blocks of G0
  /// channels, factor x.
  struct Hyper {
    int C = 3, D = 10, G = 64, G0 = 64, x = 2;
    int c_dim = 3;
  };

  /// Residual dense block `d`, counted from 1; its layers are at the root of the network.
  struct RDB {
    RDB(const Scope& p, int d, const Hyper& hyper)
        : LFF(p / ("LFF_" + std::to_string(d)), hyper.G0 + hyper.C * hyper.G, hyper.G0, 1) {
      for (int c = 1; c <= hyper.C; ++c) {
        F.emplace_back(p / ("F_" + std::to_string(d) + "_" + std::to_string(c)),
                       hyper.G0 + (c - 1) * hyper.G, hyper.G);
      }
    }

    Tensor operator()(const Tensor& x) const {
      Tensor dense = x;
      for (const Conv2d& conv : F) dense = concat({dense, relu(conv(dense))});
      return LFF(dense) + x;
    }

    std::vector<Conv2d> F;  // F_d_1, F_d_2, ...
    Conv2d LFF;
  };

  RDN(const Scope& p, const Hyper& hyper)
      : F_m1(p / "F_m1", hyper.c_dim, hyper.G0),
        F_0(p / "F_0", hyper.G0, hyper.G0),
        GFF_1(p / "GFF_1", hyper.D * hyper.G0, hyper.G0, 1),
        GFF_2(p / "GFF_2", hyper.G0, hyper.G0),
        UPN1(p / "UPN1", hyper.G0, 64, 5),
        UPN2(p / "UPN2", 64, 32),
        UPN3(p / "UPN3", 32, hyper.c_dim * hyper.x * hyper.x),
        SR(p / "SR", hyper.c_dim * hyper.x * hyper.x, hyper.c_dim),
        factor(hyper.x) {
    for (int d = 1; d <= hyper.D; ++d) blocks.emplace_back(p, d, hyper);
  }

  Tensor operator()(const Tensor& x) const {
    const Tensor shallow = F_m1(x);
    std::vector<Tensor> deep;
    for (const RDB& block : blocks)
      deep.push_back(block(deep.empty() ? F_0(shallow) : deep.back()));
    const Tensor fused = GFF_2(GFF_1(concat(deep))) + shallow;
    return SR(upsample_nearest(UPN3(relu(UPN2(relu(UPN1(fused))))), factor));
  }

  Conv2d F_m1, F_0;
  std::vector<RDB> blocks;
  Conv2d GFF_1, GFF_2, UPN1, UPN2, UPN3, SR;
  int factor;
};

Architecture rdn();

}  // namespace mend
