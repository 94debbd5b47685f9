// What training makes small: how far a network's result is from the picture that it should be.
//
// Each loss comes with its gradient, from which the backward pass starts. All of them average, so
// that a value means the same for any batch and patch; weighted sums of losses are the caller's.
// Sums are taken in double, row by row, and the rows in order: the same bits for any number of
// threads.
#pragma once

#include "engine/tensor.h"

namespace mend {

/// A loss L of a prediction x: one number, and dL/dx like x. Where L has a kink, the gradient is 0.
struct Loss {
  double value = 0;
  Tensor gradient;
};

// Of all losses: x is the prediction and `target` what it should be, both f32 [N,H,W,C], of any
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

}  // namespace mend
