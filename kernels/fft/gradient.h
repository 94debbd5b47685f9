// What the gradients of spectra need beside the transforms themselves.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"

namespace mend {
namespace op {

/// The sum over repetitions: the gradient of a filter that stood again and again over a spectrum.
///
///   y[n',h',w',c] = Σ x[n,h,w,c]               over all n ≡ n' (mod N'), h ≡ h' (mod H'), w ≡ w' (mod W')
///   y[n',h',w',c] = Σ x[n,h,w,2c] + x[n,h,w,2c + 1]   with `pairs`
///
/// x [N,H,W,C] -> y `to` [N',H',W',C or C/2], whose N', H', W' divide N, H, W. Sums in double.
struct SumRepeats {
  static constexpr std::string_view kName = "sum_repeats";
  static constexpr bool kOnGpu = true;

  Shape to;
  bool pairs = false;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op

using SumRepeatsKernel = void (*)(const op::SumRepeats& op, View<const float> x, View<float> y);
std::span<const Variant<op::SumRepeats, SumRepeatsKernel>> sum_repeats_ladder();

}  // namespace mend
