// The activation functions by name; device code includes this alone.
#pragma once

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

/// A kind and its parameter (the slope of kLeakyRelu, the alpha of kElu).
struct Activation {
  ActivationKind kind = ActivationKind::kNone;
  float parameter = 0.0f;

  bool operator==(const Activation&) const = default;
};

}  // namespace mend
