// Weights that training kept as something else: worked out once, when a network is loaded.
#pragma once

#include "weights/scope.h"

namespace mend {

/// The kernel {K,R,S,C} of a convolution trained under spectral normalisation, as it is used after
/// training (Miyato et al. 2018, arXiv:1802.05957):
///
///   weight = weight_orig / σ,   σ = u · (W v),   W = weight_orig as a matrix [K, C·R·S]
///
/// Takes `weight_orig` [K,C,R,S], `weight_u` [K] and `weight_v` [C·R·S] of the scope.
/// C: input channels of one group. Equals torch.nn.utils.spectral_norm in eval mode.
/// Throws CheckpointError if σ is 0 or not finite.
Tensor spectral_norm_kernel(const Scope& p, int K, int R, int S, int C);

/// The kernel {K,R,S,C} of a convolution trained under weight normalisation
/// (Salimans & Kingma 2016, arXiv:1602.07868, equation 2):
///
///   weight[k] = g[k] · v[k] / ‖v[k]‖₂,   the norm over all numbers that make output k
///
/// Takes `weight_g` [K,1,1,1] and `weight_v` [K,C,R,S] of the scope; C as above.
/// Equals torch.nn.utils.weight_norm. Throws CheckpointError if a norm is 0 or not finite.
Tensor weight_norm_kernel(const Scope& p, int K, int R, int S, int C);

}  // namespace mend
