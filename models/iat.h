// IAT, the illumination-adaptive transformer (Cui et al. 2022, arXiv:2205.14871, Fig. 3). Parameter
// names: the authors' IAT with Local_pred_S. x: RGB in [0,1], [N,H,W,3]; outputs: the picture,
// within [1e-8, 1], and the two maps that the local branch draws.
//
//  local branch:   x ─ conv1 ─ leaky ReLU ─┬─ mul_blocks ─(+)─ mul_end ─ ReLU ─ mul
//                                          ├──────────────┘
//                                          ├─ add_blocks ─(+)─ add_end ─ tanh ─ add
//                                          └──────────────┘
//  global branch:  x ─ conv_large, to a quarter ─ generator ─┬─ token 0:      gamma, one number
//                                                            └─ tokens 1..9:  colour, a 3x3 matrix
//
//  y = clamp(colour · (x · mul + add), 1e-8, 1) ^ gamma      at each pixel; equation 4
//
// Files without a global branch (with_global false) give y = x · mul + add.
// The authors' types "lol" and "exp" differ in what is trained alone.
#pragma once

#include <optional>
#include <vector>

#include "kernels/attention/attention.h"
#include "layers/batch_norm2d.h"
#include "layers/conv2d.h"
#include "layers/functions.h"
#include "layers/layer_norm.h"
#include "layers/mlp.h"
#include "models/architecture.h"

namespace mend {

struct IATHyper {
  bool with_global = true;
  int dim = 16, number = 3;  // width of the local branch, and blocks in each of its chains
  int mlp = 64;              // width inside its blocks
  int out_channels = 64;     // width of the global branch
};

/// The authors' Aff_channel, in place of a normalisation: y = alpha · (color · x) + beta.
struct ColourNorm {
  ColourNorm(const Scope& p, int dim);

  Tensor operator()(const Tensor& x) const {
    return apply(mix, {x, color, Tensor()}) * alpha + beta;
  }

  Tensor color;        // {dim,1,1,dim}
  Tensor alpha, beta;  // {1,1,1,dim}
  op::Conv2d mix;
};

/// A transformer's block whose attention is a depthwise 5x5 convolution.
struct CBlock {
  CBlock(const Scope& p, int dim, int hidden);

  Tensor operator()(const Tensor& x) const;

  Conv2d pos_embed;
  ColourNorm norm1;
  Conv2d conv1, attn, conv2;
  Tensor gamma_1;  // {1,1,1,dim}
  ColourNorm norm2;
  Conv2d fc1, fc2;
  Tensor gamma_2;
};

/// One number that scales and one that shifts, for each pixel and colour.
struct LocalBranch {
  struct Result {
    Tensor mul, add;
  };

  LocalBranch(const Scope& p, const IATHyper& hyper);

  Result operator()(const Tensor& x) const;

  Conv2d conv1;
  std::vector<CBlock> mul_blocks, add_blocks;
  Conv2d mul_end, add_end;
};

/// Ten learned queries look at all of a quarter-sized picture.
struct QueryGenerator {
  QueryGenerator(const Scope& p, int dim);

  /// x [N,H,W,dim] -> [N,1,10,dim]
  Tensor operator()(const Tensor& x) const;

  Conv2d pos_embed;
  LayerNorm norm1;
  Tensor q;  // {1,1,10,dim}
  Linear k, v, proj;
  LayerNorm norm2;
  Mlp mlp;
  op::Attention attend;
};

struct GlobalBranch {
  struct Result {
    Tensor gamma;   // {N,1,1,1}
    Tensor colour;  // {N,1,3,3}: row i makes channel i
  };

  GlobalBranch(const Scope& p, int dim);

  Result operator()(const Tensor& x) const;

  Conv2d proj_0;
  BatchNorm2d proj_1;
  Conv2d proj_3;
  BatchNorm2d proj_4;
  QueryGenerator generator;
  Linear gamma_linear, color_linear;
  Tensor gamma_base;  // {1,1,1,1}
  Tensor color_base;  // {1,1,9,1}
};

struct IAT {
  IAT(const Scope& p, const IATHyper& hyper);

  /// {y, mul, add}
  std::vector<Tensor> operator()(const Tensor& x) const;

  LocalBranch local_net;
  std::optional<GlobalBranch> global_net;
};

Architecture iat();

}  // namespace mend
