// activation(x) in f32 on the device, by the formulas of kernels/activation/kind.h.
#pragma once

#include "kernels/activation/kind.h"

namespace mend {

/// 1/(1 + exp(-x)) without overflow: exp of a large number is infinity, and 1/infinity is 0.
__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

/// log(1 + exp(x)), which is x for large x.
__device__ inline float softplus(float x) { return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x))); }

__device__ inline float clamp(float x, float low, float high) { return fminf(fmaxf(x, low), high); }

/// `slope`: for kPrelu.
__device__ inline float activate(const Activation& activation, float x, float slope) {
  constexpr float kSqrtHalf = 0.70710678f, kSqrtTwoOverPi = 0.79788456f;
  switch (activation.kind) {
    case ActivationKind::kNone:
      return x;
    case ActivationKind::kRelu:
      return x < 0 ? 0 : x;  // a NaN stays one
    case ActivationKind::kRelu6:
      return x < 0 ? 0 : x > 6 ? 6 : x;
    case ActivationKind::kLeakyRelu:
      return x >= 0 ? x : activation.parameter * x;
    case ActivationKind::kPrelu:
      return x >= 0 ? x : slope * x;
    case ActivationKind::kElu:
      return x >= 0 ? x : activation.parameter * expm1f(x);
    case ActivationKind::kGelu:
      return x / 2 * erfcf(-x * kSqrtHalf);
    case ActivationKind::kGeluTanh:
      return x / 2 * (1 + tanhf(kSqrtTwoOverPi * (x + 0.044715f * x * x * x)));
    case ActivationKind::kSilu:
      return x * sigmoid(x);
    case ActivationKind::kSigmoid:
      return sigmoid(x);
    case ActivationKind::kTanh:
      return tanhf(x);
    case ActivationKind::kSoftplus:
      return softplus(x);
    case ActivationKind::kMish:
      return x * tanhf(softplus(x));
    case ActivationKind::kHardSigmoid:
      return clamp(x + 3, 0, 6) / 6;
    case ActivationKind::kHardSwish:
      return x * clamp(x + 3, 0, 6) / 6;
  }
  return x;
}

}  // namespace mend
