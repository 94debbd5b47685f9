// The two-dimensional Fourier transform of real images, of any size, and back.
//
// A complex number is two neighbouring channels, real part first: 2c and 2c + 1. So a 1x1
// convolution over a spectrum mixes real and imaginary parts of all channels, as the Fourier unit
// of LaMa wants it. Of the W columns of a real image's spectrum only the first W/2 + 1 are kept:
// the others are complex conjugates, F[−k,−l] = F[k,l]*.
//
//   patch 0: one transform an image         patch P: one a patch of P x P pixels, in its place
//
//   x  H x W  ──▶  y  H x (W/2 + 1)         x ┌──┬──┐ H x W      y ┌─┬─┐ H x W/P·(P/2 + 1)
//                                             ├──┼──┤       ──▶    ├─┼─┤
//                                             └──┴──┘              └─┴─┘
//
// Patch (i,j) of x becomes rows i·P to i·P + P − 1, columns j·(P/2 + 1) to j·(P/2 + 1) + P/2 of y.
//
// Next idea: for patches of 8, keep the 8 x 8 numbers in registers over the transform, the product of
// two spectra and the inverse; now each of these writes to memory and reads back.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"

namespace mend {

/// Where the factor 1/(H·W) goes that transform and inverse have together (H = W = P in patches).
enum class FftNorm {
  kBackward,  // all of it into the inverse
  kOrtho,     // 1/√(H·W) into both
};

namespace op {

/// The spectrum of a real image.
///
///   y[n,k,l,2c] + i·y[n,k,l,2c+1] = scale · Σ_{h,w} x[n,h,w,c] · exp(−2πi·(k·h/H + l·w/W))
///
/// x [N,H,W,C] -> y [N, H, W/2 + 1, 2C]; with patch P: y [N, H, W/P·(P/2 + 1), 2C]
/// scale: 1 (kBackward) or 1/√(H·W) (kOrtho).
/// Throws ShapeError if H or W is not a multiple of the patch.
/// Equals torch.fft.rfft2 over the last two dimensions of NCHW. Method: Cooley & Tukey 1965,
/// ordered after Stockham (Cochran et al. 1967); Bluestein 1970 for lengths with a large prime.
struct RealFft2 {
  static constexpr std::string_view kName = "real_fft2";
  static constexpr bool kOnGpu = true;

  FftNorm norm = FftNorm::kBackward;
  int patch = 0;  ///< 0: the whole image

  Shape shape(const Shapes& in) const;
  /// FLOPs by the usual count, 2.5·M·log2(M) for M = H·W real numbers.
  Cost cost(const Shapes& in) const;
  /// The whole image is global; a patch sees itself: grid P, radius P − 1.
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

/// The real image of a half spectrum, which need not be one of a real image.
///
///   z[n,h,l,c] = Σ_k X[n,k,l,c] · exp(2πi·k·h/H),   X = x[..,2c] + i·x[..,2c+1]
///   y[n,h,w,c] = scale · Re Σ_{l=0}^{W/2} g(l) · z[n,h,l,c] · exp(2πi·l·w/W)
///   g(l) = 1 for l = 0 and l = W/2, where only the real part of z counts, and 2 for the others
///
/// x [N, H, W/2 + 1, 2C] -> y [N,H,W,C] with W = width; with patch P: x [N, H, W/P·(P/2 + 1), 2C]
/// scale: 1/(H·W) (kBackward) or 1/√(H·W) (kOrtho).
/// Throws ShapeError if the spectrum is not that of an image of this width, or has no pairs.
/// Equals torch.fft.irfft2 with s = (H, width): all of the complex inverse along H comes first,
/// then imaginary parts of the columns 0 and W/2 are dropped.
struct InverseRealFft2 {
  static constexpr std::string_view kName = "inverse_real_fft2";
  static constexpr bool kOnGpu = true;

  FftNorm norm = FftNorm::kBackward;
  int width = 0;  ///< W: W/2 + 1 columns are those of an even and an odd width
  int patch = 0;  ///< 0: the whole image

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

}  // namespace op

/// How a rung computes, and the working memory it wants (null: none).
template <class Op>
struct FftKernel {
  std::int64_t (*scratch_bytes)(const Op& op, const Shapes& in);
  void (*run)(const Op& op, View<const float> x, View<float> y, Scratch scratch);
};
std::span<const Variant<op::RealFft2, FftKernel<op::RealFft2>>> real_fft2_ladder();
std::span<const Variant<op::InverseRealFft2, FftKernel<op::InverseRealFft2>>>
inverse_real_fft2_ladder();

}  // namespace mend
