// One half of the features opens and closes the other: what a plan makes of an activation and the
// product behind it.
//
// Alone, the activation writes as much as it reads, and the product reads it again: five streams of
// numbers where three do.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "kernels/activation/activation.h"

namespace mend {
namespace op {

/// y[n,h,w,c] = activation(x[n,h,w,c]) · z[n,h,w,c]
///
/// x, z [N,H,W,C] -> y like x. Throws ShapeError if their shapes differ, or for a kPrelu.
/// Dauphin et al. 2017, arXiv:1612.08083, equation 1, with any activation: GELU in Restormer's
/// feed-forward layer, none in NAFNet's.
struct Gate {
  static constexpr std::string_view kName = "gate";
  enum Slot { kX, kZ };

  Activation activation = {};

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const;
};

/// What gates if `next` is a product or an op::Gate of the first half of `channels` channels with the
/// second: its activation.
std::optional<Activation> gate_of_halves(const AnyOp& next, const ThroughViews& views,
                                         int channels);

}  // namespace op

using GateKernel = void (*)(const op::Gate& op, View<const float> x, View<const float> z,
                            View<float> y);
std::span<const Variant<op::Gate, GateKernel>> gate_ladder();

// The rungs.
void gate_reference(const op::Gate& op, View<const float> x, View<const float> z, View<float> y);
void gate_simd(const op::Gate& op, View<const float> x, View<const float> z, View<float> y);

}  // namespace mend
