// Arithmetic on spectra, which are pairs of channels 2c (real part) and 2c + 1 (imaginary part).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"

namespace mend::op {

/// The product of two spectra, number by number: convolution or correlation of what they stand for.
///
///   y = x · z   or, with conjugate_b,   y = x · z*
///   (a + ib)(c ± id) = (ac ∓ bd) + i(bc ± ad)
///
/// x [N,H,W,2C]   z [N',H',W',2C], whose N', H', W' divide N, H, W: z stands again and again, at
/// (n mod N', h mod H', w mod W'), so that one filter of [1,8,5,2C] serves all patches of 8 x 8
/// -> y like x. Throws ShapeError if z does not fit or channels are not pairs.
/// Equals the product of complex tensors in PyTorch.
struct ComplexMultiply {
  static constexpr std::string_view kName = "complex_multiply";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kZ };

  bool conjugate_b = false;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

/// A spectrum times a real gain for each of its numbers.
///
///   y[n,h,w,2c + i] = x[n,h,w,2c + i] · gain[n mod N', h mod H', w mod W', c],   i = 0, 1
///
/// x [N,H,W,2C]   gain [N',H',W',C], whose N', H', W' divide N, H, W -> y like x
/// Throws ShapeError if the gain does not fit. The learned filter of FFTformer's feed-forward
/// network (Kong et al. 2023, arXiv:2211.12250, section 3.2) is a gain of [1,8,5,C] for all patches.
struct SpectralGain {
  static constexpr std::string_view kName = "spectral_gain";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kGain };

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

}  // namespace mend::op

namespace mend {

template <class Op>
using SpectrumKernel = void (*)(const Op& op, View<const float> x, View<const float> z,
                                View<float> y);
std::span<const Variant<op::ComplexMultiply, SpectrumKernel<op::ComplexMultiply>>>
complex_multiply_ladder();
std::span<const Variant<op::SpectralGain, SpectrumKernel<op::SpectralGain>>> spectral_gain_ladder();

}  // namespace mend
