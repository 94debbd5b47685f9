// Activations: one function of one number, applied to every element.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"

namespace mend {

// clang-format off
enum class ActivationKind {
  kNone,         // x
  kRelu,         // max(x, 0)
  kRelu6,        // min(max(x, 0), 6)
  kLeakyRelu,    // x >= 0 ? x : parameter·x
  kPrelu,        // x >= 0 ? x : slope[c]·x, a slope for each channel, or one for all
  kElu,          // x >= 0 ? x : parameter·(exp(x) - 1)
  kGelu,         // x·Φ(x) = x/2·(1 + erf(x/√2))                  (Hendrycks & Gimpel 2016)
  kGeluTanh,     // x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))
  kSilu,         // x·sigmoid(x)
  kSigmoid,      // 1/(1 + exp(-x))
  kTanh,
  kSoftplus,     // log(1 + exp(x))
  kMish,         // x·tanh(softplus(x))                            (Misra 2019)
  kHardSigmoid,  // min(max(x + 3, 0), 6)/6
  kHardSwish,    // x·hardsigmoid(x)
};
// clang-format on

std::string_view name_of(ActivationKind kind);

/// A kind and its parameter (the slope of kLeakyRelu, the alpha of kElu).
struct Activation {
  ActivationKind kind = ActivationKind::kNone;
  float parameter = 0.0f;

  bool operator==(const Activation&) const = default;
};

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
  enum Slot { kX, kSlope };

  Activation activation = {};

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const;
};

}  // namespace op

/// activation(x) in double, by the formula of its kind: the truth that every kernel is measured by.
/// `slope` is that of x's channel, for kPrelu.
double activate(const Activation& activation, double x, double slope);

using ActivationKernel = void (*)(const Activation&, View<const float> x, View<const float> slope,
                                  View<float> y);
std::span<const Variant<op::Activate, ActivationKernel>> activation_ladder();

}  // namespace mend
