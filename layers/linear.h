// Fully connected layers.
#pragma once

#include "kernels/conv2d/conv2d.h"
#include "weights/scope.h"

namespace mend {

/// torch.nn.Linear: `weight` [out, in] and, unless told otherwise, `bias` [out].
/// x [N,H,W,in] -> [N,H,W,out]: the same for every pixel, a 1x1 convolution.
struct Linear {
  Linear(const Scope& p, int in, int out, bool with_bias = true)
      : weight(p.dense("weight", {out, in}, {out, 1, 1, in})),
        bias(with_bias ? p.vector("bias", out) : Tensor()) {
    call.outputs = out;
  }

  Tensor operator()(const Tensor& x) const { return apply(call, {x, weight, bias}); }

  Tensor weight;  // {out,1,1,in}
  Tensor bias;    // {1,1,1,out} or absent
  op::Conv2d call;
};

}  // namespace mend
