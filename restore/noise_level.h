// How noisy a picture is, for networks that must be told.
#pragma once

#include "engine/tensor.h"

namespace mend {

/// The standard deviation of additive white Gaussian noise in x [1,H,W,C], in x's units (1 is white),
/// by Chen, Zhu & Heng 2015 (ICCV, An Efficient Statistical Method for Image Noise Level Estimation,
/// algorithm 1): patches of 8 x 8 pixels of a clean picture fill few of the 64 dimensions, noise
/// fills all of them alike. So the smallest eigenvalues of the patches' covariance are the noise's
/// variance: the largest set of smallest eigenvalues whose mean is its median.
///
/// Channels are measured one by one and their variances averaged. Looks at the middle 1024 x 1024
/// pixels at most. 0 for pictures below 16 x 16. Clipping and JPEG make it an underestimate.
float noise_level(const Tensor& x);

}  // namespace mend
