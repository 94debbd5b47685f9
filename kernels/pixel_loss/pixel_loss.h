// How far pixels are from what they should be, and where they should go: losses that look at one number
// at a time. Here the backward pass of a network starts.
//
// train/losses.h has the same with both results at once.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/pixel_loss/kind.h"

namespace mend {

/// "smooth_l1"
std::string_view name_of(PixelLossKind kind);

/// Throws UsageError for a β below 0, or an ε that is not above it.
void check_parameter(const PixelLoss& loss);

namespace op {

/// y = weight · Σ ρ(x, target) / M
///
/// x, target [N,H,W,C], M = N·H·W·C -> y [1,1,1,1]. Throws ShapeError if the shapes differ, UsageError
/// for a parameter out of range. Summed in double, in an order that depends on the shapes alone. A NaN in x
/// or target makes y NaN, but for kKnownL1 and kKnown. The target gets no gradient.
struct PixelLossValue {
  static constexpr std::string_view kName = "pixel_loss_value";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kTarget };

  PixelLoss loss = {};

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

/// y = weight · ∂ρ/∂x(x, target) / M, the gradient of PixelLossValue with respect to x
///
/// x, target [N,H,W,C] -> y like x. Where ρ has a kink, 0. Throws as PixelLossValue does.
struct PixelLossGradient {
  static constexpr std::string_view kName = "pixel_loss_gradient";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kTarget };

  PixelLoss loss = {};

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op

/// Both at once, on the CPU: the loss's value in double, and its gradient to `gradient`, if that is a view.
/// Row by row in double, in an order that depends on the shapes alone: the same bits for any number of threads.
double pixel_loss(const PixelLoss& loss, View<const float> x, View<const float> target,
                  View<float> gradient);

using PixelLossKernel = void (*)(const PixelLoss& loss, View<const float> x,
                                 View<const float> target, View<float> y);
std::span<const Variant<op::PixelLossValue, PixelLossKernel>> pixel_loss_value_ladder();
std::span<const Variant<op::PixelLossGradient, PixelLossKernel>> pixel_loss_gradient_ladder();

}  // namespace mend
