// activation(x) and its derivative in f32 on the device, by the formulas of kernels/activation/kind.h.
#pragma once

#include "kernels/activation/kind.h"

namespace mend {

/// 1/(1 + exp(-x)) without overflow: exp of a large number is infinity, and 1/infinity is 0.
__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

/// log(1 + exp(x)), which is x for large x.
__device__ inline float softplus(float x) { return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x))); }

/// NaN stays NaN.
__device__ inline float clamp(float x, float low, float high) {
  return x < low ? low : x > high ? high : x;
}

/// `slope`: for kPrelu.
__device__ inline float activate(const Activation& activation, float x, float slope) {
  constexpr float kSqrtHalf = 0.70710678f, kTwiceSqrtTwoOverPi = 1.59576912f;
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
      // x/2·(1 + tanh(u)) = x·sigmoid(2·u), which does not cancel for negative u.
      return x * sigmoid(kTwiceSqrtTwoOverPi * (x + 0.044715f * x * x * x));
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

/// The derivative at `seen`, which is the activation's result where reads_result says so
/// (kernels/activation/gradient.h), else x.
__device__ inline float derivative(const Activation& activation, float seen, float slope) {
  constexpr float kSqrtHalf = 0.70710678f, kDensityAt0 = 0.39894228f;  // of the normal distribution
  constexpr float kTwiceSqrtTwoOverPi = 1.59576912f;
  const float x = seen, y = seen, a = activation.parameter;
  switch (activation.kind) {
    case ActivationKind::kNone:
      return 1;
    case ActivationKind::kRelu:
      return y > 0 ? 1 : 0;
    case ActivationKind::kRelu6:
      return y > 0 && y < 6 ? 1 : 0;
    case ActivationKind::kLeakyRelu:
      return seen > 0 ? 1 : a;
    case ActivationKind::kPrelu:
      return x > 0 ? 1 : slope;
    case ActivationKind::kElu:
      return seen > 0 ? 1 : a >= 0 ? y + a : a * expf(x);
    case ActivationKind::kGelu:
      return erfcf(-x * kSqrtHalf) / 2 + x * kDensityAt0 * expf(-x * x / 2);
    case ActivationKind::kGeluTanh: {
      const float s = sigmoid(kTwiceSqrtTwoOverPi * (x + 0.044715f * x * x * x));
      const float inner = kTwiceSqrtTwoOverPi * (1 + 3 * 0.044715f * x * x);
      return s + x * s * (1 - s) * inner;
    }
    case ActivationKind::kSilu:
      return sigmoid(x) * (1 + x * (1 - sigmoid(x)));
    case ActivationKind::kSigmoid:
      return y * (1 - y);
    case ActivationKind::kTanh:
      return (1 - y) * (1 + y);
    case ActivationKind::kSoftplus:
      return sigmoid(x);
    case ActivationKind::kMish: {
      const float t = tanhf(softplus(x));
      return t + x * (1 - t) * (1 + t) * sigmoid(x);
    }
    case ActivationKind::kHardSigmoid:
      return y > 0 && y < 1 ? 1.0f / 6 : 0;
    case ActivationKind::kHardSwish:
      return x <= -3 ? 0 : x < 3 ? x / 3 + 0.5f : 1;
  }
  return 1;
}

}  // namespace mend
