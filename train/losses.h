// What training makes small: how far a network's result is from the picture that it should be, or
// from what any good picture is.
//
// Each loss comes with its gradient, from which the backward pass starts. All of them average, so
// that a value means the same for any batch and patch; train/objective.h makes weighted sums of them.
// Sums are taken in double, row by row, and the rows in order: the same bits for any number of
// threads.
#pragma once

#include "engine/tensor.h"
#include "kernels/pixel_loss/kind.h"

namespace mend {

/// A loss L of a prediction x: one number, and dL/dx like x. Where L has a kink, the gradient is 0.
struct Loss {
  double value = 0;
  Tensor gradient;
};

// ---- with a target (losses.cpp, ssim_loss.cpp) ----
//
// x is the prediction and `target` what it should be, both f32 [N,H,W,C], of any
// range; d = x − target, M = N·H·W·C. All throw ShapeError if the shapes differ. A NaN in x or target
// makes the value NaN.

/// L = Σ |d| / M. The mean absolute error (for restoration: Zhao et al. 2017, arXiv:1511.08861).
/// Equals torch.nn.functional.l1_loss.
Loss l1_loss(const Tensor& x, const Tensor& target);

/// L = Σ d² / M. Equals torch.nn.functional.mse_loss.
Loss mse_loss(const Tensor& x, const Tensor& target);

/// L = Σ ρ(d) / M,   ρ(d) = d² / (2·beta) where |d| < beta, |d| − beta/2 elsewhere.
/// Girshick 2015, arXiv:1504.08083, equation 3 for beta = 1. beta = 0 is L1; throws UsageError below
/// 0. Equals torch.nn.functional.smooth_l1_loss.
Loss smooth_l1_loss(const Tensor& x, const Tensor& target, double beta = 1);

/// L = Σ √(d² + eps²) / M. Charbonnier et al. 1994, as LapSRN (Lai et al. 2017, arXiv:1704.03915)
/// and MPRNet (Zamir et al. 2021, arXiv:2102.02808) take it. Throws UsageError unless eps > 0.
/// BasicSR's option of that name is eps²: its 1e-12 is 1e-6 here.
Loss charbonnier_loss(const Tensor& x, const Tensor& target, double eps = 1e-3);

/// L = 10/ln 10 · Σ_n ln(MSE[n] + 1e-8) / N,   MSE[n] = Σ_{h,w,c} d[n,h,w,c]² / (H·W·C)
///
/// The negative PSNR in dB of pictures in [0,1], image by image (HINet, Chen et al. 2021,
/// arXiv:2105.06086; NAFNet, Chen et al. 2022, arXiv:2204.04676), with the 1e-8 of
/// their code, which bounds it at −80 dB. Equals BasicSR's PSNRLoss of RGB.
Loss psnr_loss(const Tensor& x, const Tensor& target);

/// L = Σ (|Re D| + |Im D|) / K over all numbers D of the half spectrum of d, K = 2·N·H·(W/2+1)·C
///
/// D is op::RealFft2 of d, not scaled. The frequency reconstruction loss of MIMO-UNet (Cho et al.
/// 2021, arXiv:2108.05054), with real and imaginary parts apart as in its code. That code averages
/// over all W columns, which gives the conjugate pairs twice the weight of the columns 0 and W/2;
/// here every number of the half spectrum weighs the same.
/// Equals torch.nn.functional.l1_loss of torch.view_as_real(torch.fft.rfft2(·)).
/// The spectrum is f32, so value and gradient are too.
Loss fft_l1_loss(const Tensor& x, const Tensor& target);

/// L = 1 − mean SSIM over all windows of 11 x 11 pixels that lie inside, images and channels
///
/// Weighted by a Gaussian of deviation 1.5; C1 = 0.01², C2 = 0.03², for pictures in [0,1]: Wang et al.
/// 2004, equation 13, as a loss Zhao et al. 2017, arXiv:1511.08861. The measure is that of
/// restore/metrics.h (kMatlab) before anything is rounded. Throws ShapeError below 11 x 11 pixels.
Loss ssim_loss(const Tensor& x, const Tensor& target);

// ---- without a target (low_light_losses.cpp) ----
//
// x is a picture f32 [N,H,W,C] in [0,1]. Those of Zero-DCE (Guo et al. 2020, arXiv:2001.06826, section
// 3.3) are as the authors' code takes them; where that is not the paper's equation, it says so. Their
// regions are squares of `region` pixels, beginning at the top left; what is left over has no part.
// All throw ShapeError if there is no x, or no region in it, and UsageError for a region below 1.

/// L = Σ |x[h+1,w] − x[h,w]| / (N·(H−1)·W·C) + Σ |x[h,w+1] − x[h,w]| / (N·H·(W−1)·C)
/// Anisotropic total variation (Rudin et al. 1992) of each direction's mean; a direction without
/// neighbours adds 0.
Loss total_variation_loss(const Tensor& x);

/// L = Σ_i Σ_j ((Y[i] − Y[j]) − (I[i] − I[j]))² / K        equation 4, but with signed differences
///
/// Y and I are the means of x and of the network's input over K regions i and all channels, j the four
/// regions beside i, both 0 beyond the border: brighter is not flatter, or more contrasty. Throws
/// ShapeError if `input` is not shaped like x.
Loss spatial_consistency_loss(const Tensor& x, const Tensor& input, int region = 4);

/// L = Σ_i (Y[i] − level)² / K        equation 5, but squared
///
/// Y is the mean of x over region i and all channels, `level` what a well exposed one has.
Loss exposure_loss(const Tensor& x, double level = 0.6, int region = 16);

/// L = √((R−G)⁴ + (R−B)⁴ + (G−B)⁴), its mean over the images        equation 6, but with this root
///
/// R, G and B are an image's mean channels: a grey world has no cast. C is 3; throws ShapeError.
Loss colour_constancy_loss(const Tensor& x);

/// L = 2/N · (Σ (r[h+1,w] − r[h,w])² / ((H−1)·W) + Σ (r[h,w+1] − r[h,w])² / (H·(W−1)))
///                                                     equation 7, but without its mixed products
/// r are the maps of the curves, summed over, not averaged.
Loss illumination_smoothness_loss(const Tensor& maps);

// ---- of a discriminator's verdict (adversarial_losses.cpp) ----
//
// z are its logits, f32 of any shape, M numbers, above 0 where it takes the picture for a real one
// (Goodfellow et al. 2014, arXiv:1406.2661). All throw ShapeError if there is no z.

/// How a verdict is judged. With `real` = 1 and `made` = 0 as what it should be:
enum class GanKind {
  kVanilla,       ///< binary cross-entropy of sigmoid(z); the generator's is the non-saturating one
  kLeastSquares,  ///< (z − 1)², z² (LSGAN, Mao et al. 2017, arXiv:1611.04076, equation 9)
  kHinge,  ///< max(0, 1 − z), max(0, 1 + z); the generator's −z (Lim & Ye 2017, arXiv:1705.02894)
};

/// What the generator wants: that z says "real".
///   vanilla L = Σ ln(1 + exp(−z)) / M    least squares L = Σ (z − 1)² / M    hinge L = −Σ z / M
Loss generator_loss(const Tensor& z, GanKind kind);

/// What the discriminator wants, of real pictures or of made ones:
///   vanilla L = Σ ln(1 + exp(∓z)) / M    least squares Σ (z − 1)² / M or Σ z² / M
///   hinge   L = Σ max(0, 1 ∓ z) / M      the upper sign is that of real pictures
/// Equals BasicSR's GANLoss with its targets 1 and 0.
Loss discriminator_loss(const Tensor& z, GanKind kind, bool is_real);

/// Both as losses of logits beside what they should be: 1 real, 0 made. The generator's are beside 1.
PixelLoss generator_loss(GanKind kind);
PixelLoss discriminator_loss(GanKind kind);

}  // namespace mend
