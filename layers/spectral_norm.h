// Spectral normalisation: a convolution whose weight is divided by its largest singular value, so that
// it is 1-Lipschitz in its input (Miyato et al. 2018, arXiv:1802.05957).
#pragma once

#include "layers/conv2d.h"

namespace mend {

/// torch.nn.utils.spectral_norm(torch.nn.Conv2d(..., bias=False)): `weight_orig` [K,C,R,S], `weight_u`
/// [K] and `weight_v` [C·R·S] of the scope.
///
///   y = conv2d(x, weight_orig / σ),   σ = uᵀ·W·v,   W = weight_orig as a matrix of K rows
///
/// u and v are what the power iteration has found of the first singular vectors; they count as constant,
/// so dσ/dW = u·vᵀ (equation 12 of the paper). Nothing here moves them: power_iteration() does.
/// x [N,H,W,in] -> [N,P,Q,out]. `options.bias` and `options.groups` are not looked at.
struct SpectralNormConv2d {
  SpectralNormConv2d(const Scope& p, int in, int out, int kernel,
                     const Conv2dOptions& options = {});

  Tensor operator()(const Tensor& x) const;

  Tensor weight_orig;  // {K,R,S,C}
  Tensor weight_u;     // {1,1,1,K}
  Tensor weight_v;     // {1,R,S,C}
  Tensor weight;       // weight_orig / σ
  op::Conv2d call;
};

/// One step of the power iteration, in place:
///
///   v ← Wᵀ·u / |Wᵀ·u|,   u ← W·v / |W·v|
///
/// weight {K,R,S,C}, u {1,1,1,K}, v {1,R,S,C}: plain f32 tensors with memory of their own, on one device. A
/// vector that would be 0 stays so.
void power_iteration(const Tensor& weight, const Tensor& u, const Tensor& v);

}  // namespace mend
