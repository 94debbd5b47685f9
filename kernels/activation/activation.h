// Activations: one function of one number, applied to every element.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/activation/kind.h"
#include "kernels/narrow.h"

namespace mend {

std::string_view name_of(ActivationKind kind);

/// "leaky_relu 0.2"
std::string describe(const Activation& activation);

/// Throws ShapeError, on behalf of `op`, if a kPrelu's slope is neither one number nor c of them.
void check_slope(std::string_view op, const Activation& activation, const Shape& slope, int c);

namespace op {

/// y[n,h,w,c] = activation(x[n,h,w,c])
///
/// x [N,H,W,C]   slope [1,1,1,C] or [1,1,1,1] for kPrelu, else absent   -> y like x
/// Equals torch.nn.functional's function of the same name.
struct Activate {
  static constexpr std::string_view kName = "activation";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kSlope };

  Activation activation = {};
  /// Of x, slope and y: f32, or on a GPU f16 or bf16, computed in f32.
  DType type = DType::kF32;

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType type) const;
  /// A product of the result with an image like it becomes a gate.
  std::optional<Fusion> absorb(const AnyOp& next, int position, const Shapes& in) const;
};

}  // namespace op

/// activation(x) in double, by the formula of its kind: the truth that every kernel is measured by.
/// `slope` is that of x's channel, for kPrelu.
double activate(const Activation& activation, double x, double slope);

using ActivationKernel =
    NarrowableKernel<op::Activate, void (*)(const Activation&, View<const float> x,
                                            View<const float> slope, View<float> y)>;
std::span<const Variant<op::Activate, ActivationKernel>> activation_ladder();

}  // namespace mend
