// Layer normalisation over the channels of each pixel.
#pragma once

#include "kernels/normalization/normalization.h"
#include "weights/scope.h"

namespace mend {

/// torch.nn.LayerNorm of tokens (epsilon 1e-5) and the LayerNorm2d of images (mostly 1e-6):
/// `weight` [channels] and `bias` [channels]. x [N,H,W,channels] -> y like x, see op::LayerNorm.
struct LayerNorm {
  LayerNorm(const Scope& p, int channels, float epsilon = 1e-5f)
      : weight(p.vector("weight", channels)), bias(p.vector("bias", channels)) {
    call.eps = epsilon;
  }

  Tensor operator()(const Tensor& x) const { return apply(call, {x, weight, bias}); }

  Tensor weight, bias;  // {1,1,1,channels}
  op::LayerNorm call;
};

/// The epsilon of LayerNorm2d as NAFNet, ConvNeXt and their heirs have it.
constexpr float kLayerNorm2dEpsilon = 1e-6f;

}  // namespace mend
