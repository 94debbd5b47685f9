// The gradient of an activation: its derivative times the gradient of its result.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/activation/activation.h"

namespace mend {

/// Whether the derivative is computed from the activation's result y in place of its input x: then a
/// plan may fuse the activation into the convolution before it, whose result nobody else reads.
///   relu, relu6, leaky_relu and elu with a parameter >= 0 (their sign is that of x), sigmoid, tanh,
///   hardsigmoid
bool reads_result(const Activation& activation);

/// The derivative at `seen`, which is y where reads_result says so, else x; in double, by the formula.
/// At a kink it is PyTorch's choice, the derivative from the left (0 for hardswish at -3).
double derivative(const Activation& activation, double seen, double slope);

namespace op {

/// y[n,h,w,c] = dy[n,h,w,c] · activation'(x[n,h,w,c])
///
/// seen [N,H,W,C]: x, or the activation's result where reads_result says so   dy like it
/// slope [1,1,1,C] or [1,1,1,1] for kPrelu, else absent   -> y like dy
struct ActivationGradient {
  static constexpr std::string_view kName = "activation_gradient";
  static constexpr bool kOnGpu = true;
  enum Slot { kSeen, kDy, kSlope };

  Activation activation = {};
  /// Of all inputs and y: f32, or on a GPU f16 or bf16, computed in f32.
  DType type = DType::kF32;

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType type) const;
};

}  // namespace op

using ActivationGradientKernel =
    NarrowableKernel<op::ActivationGradient,
                     void (*)(const Activation&, View<const float> seen, View<const float> dy,
                              View<const float> slope, View<float> y)>;
std::span<const Variant<op::ActivationGradient, ActivationGradientKernel>>
activation_gradient_ladder();

// The rungs.
void activation_gradient_reference(const Activation&, View<const float> seen, View<const float> dy,
                                   View<const float> slope, View<float> y);
/// On a GPU, in f16 and bf16.
void activation_gradient_cuda_narrow(const op::ActivationGradient& op, Inputs inputs,
                                     const Tensor& y);
void activation_gradient_simd(const Activation&, View<const float> seen, View<const float> dy,
                              View<const float> slope, View<float> y);

}  // namespace mend
