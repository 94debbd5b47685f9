// The two linear layers behind an attention.
#pragma once

#include "layers/functions.h"
#include "layers/linear.h"

namespace mend {

/// fc1 ─ GELU ─ fc2, for each pixel. x [N,H,W,dim] -> y like x. timm's Mlp.
struct Mlp {
  Mlp(const Scope& p, int dim, int hidden)
      : fc1(p / "fc1", dim, hidden), fc2(p / "fc2", hidden, dim) {}

  Tensor operator()(const Tensor& x) const { return fc2(gelu(fc1(x))); }

  Linear fc1, fc2;
};

}  // namespace mend
