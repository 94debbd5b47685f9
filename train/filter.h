// Convolution of a picture with a small kernel, for degradations.
#pragma once

#include <vector>

#include "engine/tensor.h"

namespace mend {

/// A square kernel of odd side, row by row.
struct Kernel {
  int side = 1;
  std::vector<double> weights = {1.0};

  /// The same shape with weights of sum 1.
  Kernel normalised() const;
};

/// exp(−rᵀΣ⁻¹r / 2) with Σ of these deviations along two axes, the first turned by `angle` radians.
Kernel gaussian_kernel(double deviation, double other_deviation, double angle);
/// A line of this length through the middle, sampled 16 times a pixel and spread bilinearly.
Kernel motion_kernel(double length, double angle);
/// A disc of this radius with soft edge: each pixel's covered part, by 8 x 8 samples.
Kernel disc_kernel(double radius);
/// The circular low-pass filter ω/(2πr)·J1(ω·r) of cutoff ω (Real-ESRGAN, arXiv:2107.10833, equation 6): it
/// rings and overshoots as over-sharpened pictures do. J1 is the Bessel function.
Kernel sinc_kernel(double cutoff, int side);

/// Each output the sum of kernel · pixels around it; mirrored at the border, its pixel not repeated.
/// Correlation, as networks convolve. x [1,H,W,C] with H and W above side/2.
Tensor filter(const Tensor& x, const Kernel& kernel);

}  // namespace mend
