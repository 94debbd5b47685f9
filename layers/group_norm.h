// Group normalisation with its parameters.
#pragma once

#include "kernels/normalization/normalization.h"
#include "weights/scope.h"

namespace mend {

/// torch.nn.GroupNorm: `weight` [channels] and `bias` [channels] of the scope.
/// x [N,H,W,channels] -> y like x, see op::GroupNorm. `groups` divides `channels`.
struct GroupNorm {
  GroupNorm(const Scope& p, int channels, int groups, float epsilon = 1e-5f)
      : weight(p.vector("weight", channels)), bias(p.vector("bias", channels)) {
    call = {.groups = groups, .eps = epsilon};
  }

  Tensor operator()(const Tensor& x) const { return apply(call, {x, weight, bias}); }

  Tensor weight, bias;  // {1,1,1,channels}
  op::GroupNorm call;
};

}  // namespace mend
