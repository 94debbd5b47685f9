// Every formula as activation.h states it, one element at a time, in double.
#include <algorithm>
#include <cmath>

#include "kernels/activation/rungs.h"

namespace mend {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
/// log(1 + exp(x)) without overflow for large x.
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
/// NaN stays NaN.
double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

}  // namespace

double activate(const Activation& activation, double x, double slope) {
  constexpr double kSqrtHalf = 0.70710678118654752440;
  constexpr double kSqrtTwoOverPi = 0.79788456080286535588;
  switch (activation.kind) {
    case ActivationKind::kNone:
      return x;
    case ActivationKind::kRelu:
      return x < 0 ? 0 : x;
    case ActivationKind::kRelu6:
      return clamp(x, 0, 6);
    case ActivationKind::kLeakyRelu:
      return x >= 0 ? x : activation.parameter * x;
    case ActivationKind::kPrelu:
      return x >= 0 ? x : slope * x;
    case ActivationKind::kElu:
      return x >= 0 ? x : activation.parameter * std::expm1(x);
    case ActivationKind::kGelu:
      return x / 2 * std::erfc(-x * kSqrtHalf);
    case ActivationKind::kGeluTanh:
      return x / 2 * (1 + std::tanh(kSqrtTwoOverPi * (x + 0.044715 * x * x * x)));
    case ActivationKind::kSilu:
      return x * sigmoid(x);
    case ActivationKind::kSigmoid:
      return sigmoid(x);
    case ActivationKind::kTanh:
      return std::tanh(x);
    case ActivationKind::kSoftplus:
      return softplus(x);
    case ActivationKind::kMish:
      return x * std::tanh(softplus(x));
    case ActivationKind::kHardSigmoid:
      return clamp(x + 3, 0, 6) / 6;
    case ActivationKind::kHardSwish:
      return x * clamp(x + 3, 0, 6) / 6;
  }
  return x;
}

void activation_reference(const Activation& activation, View<const float> x,
                          View<const float> slope, View<float> y) {
  const auto [N, H, W, C] = x.shape;
  for (int n = 0; n < N; ++n)
    for (int h = 0; h < H; ++h)
      for (int w = 0; w < W; ++w)
        for (int c = 0; c < C; ++c) {
          const double a = slope ? slope.data[slope.shape.c == 1 ? 0 : c] : 0;
          y(n, h, w, c) = static_cast<float>(activate(activation, x(n, h, w, c), a));
        }
}

}  // namespace mend
