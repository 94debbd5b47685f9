// The rectifier with a learned slope (He et al. 2015, arXiv:1502.01852).
#pragma once

#include "kernels/activation/activation.h"
#include "weights/scope.h"

namespace mend {

/// torch.nn.PReLU: `weight` [count], a slope for each channel, or one for all.
/// y = x >= 0 ? x : slope[c]·x
struct PRelu {
  PRelu(const Scope& p, int count) : weight(p.vector("weight", count)) {}

  Tensor operator()(const Tensor& x) const {
    return apply(op::Activate{{ActivationKind::kPrelu}}, {x, weight});
  }

  Tensor weight;  // {1,1,1,count}
};

}  // namespace mend
