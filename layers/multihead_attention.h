// Multi-head attention with its parameters.
#pragma once

#include "kernels/attention/attention.h"
#include "layers/linear.h"

namespace mend {

/// torch.nn.MultiheadAttention (Vaswani et al. 2017, arXiv:1706.03762): `in_proj_weight` [3·dim,
/// dim] and `in_proj_bias` [3·dim] for queries, keys and values in this order, `out_proj`.
/// queries [N,1,Tq,dim]   keys, values [N,1,Tk,dim] -> [N,1,Tq,dim]
/// Throws CheckpointError if `heads` does not divide `dim`.
struct MultiheadAttention {
  MultiheadAttention(const Scope& p, int dim, int heads);

  Tensor operator()(const Tensor& queries, const Tensor& keys, const Tensor& values) const;

  /// One of the three thirds of in_proj.
  struct Projection {
    Tensor weight, bias;  // {dim,1,1,dim} and {1,1,1,dim}
  };
  Projection q, k, v;
  Linear out_proj;
  op::Conv2d project;
  op::Attention attend;
};

}  // namespace mend
