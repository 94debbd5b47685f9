// What becomes of one number: how a parameter follows its gradient, and the small steps around that. The
// CPU and the GPU compile these same lines, neither contracts a product and a sum into one operation
// (CMakeLists.txt), and all arithmetic is IEEE's: so both give the same bits.
//
// A rule is given the numbers at one place of the arrays of a piece (pieces.h) and changes those that
// kWritten names. Arithmetic is in double and rounds once for each number stored.
#pragma once

#include <cmath>
#include <cstdint>
#include <variant>

#ifdef __CUDACC__
#define MEND_ON_BOTH __host__ __device__
#else
#define MEND_ON_BOTH
#endif

namespace mend {

/// The arrays of a parameter, by their place in a piece.
enum UpdateArray { kValue, kGradient, kFirstMemory, kSecondMemory };

constexpr std::uint32_t array_bit(int array) { return std::uint32_t{1} << array; }

/// The gradient g that a rule sees: rounded to f32, as if it had been scaled in memory.
MEND_ON_BOTH inline float scaled_gradient(double scale, float gradient) {
  return static_cast<float>(scale * gradient);
}

/// Gradient descent with momentum.
///
///   g = dL/dθ + weight_decay · θ
///   v ← momentum · v + g
///   θ ← θ − rate · v
///
/// Polyak 1964 in the form of Sutskever et al. 2013 that torch.optim.SGD has (dampening 0, without
/// Nesterov's step): the rate is outside of v, so a changed rate acts at once.
struct SgdRule {
  static constexpr int kArrays = 3;
  static constexpr std::uint32_t kWritten = array_bit(kValue) | array_bit(kFirstMemory);

  double rate, momentum, weight_decay;
  double gradient_scale;

  MEND_ON_BOTH void operator()(float (&n)[kArrays]) const {
    const double value = n[kValue];
    const double g = scaled_gradient(gradient_scale, n[kGradient]) + weight_decay * value;
    const double v = momentum * n[kFirstMemory] + g;
    n[kFirstMemory] = static_cast<float>(v);
    n[kValue] = static_cast<float>(value - rate * v);
  }
};

/// Steps as large as the mean of the gradients is beside their root mean square.
///
///   g = dL/dθ + l2 · θ
///   m ← beta1 · m + (1 − beta1) · g          m̂ = m / (1 − beta1ᵗ)
///   v ← beta2 · v + (1 − beta2) · g²         v̂ = v / (1 − beta2ᵗ)
///   θ ← kept · θ − learning_rate · m̂ / (√v̂ + eps)
///
/// in step t = 1, 2, … of a parameter (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1). Decoupled decay,
/// kept = 1 − learning_rate · weight_decay: AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm
/// 2), with the learning rate in the place of the schedule η, as PyTorch has it.
struct AdamRule {
  static constexpr int kArrays = 4;
  static constexpr std::uint32_t kWritten =
      array_bit(kValue) | array_bit(kFirstMemory) | array_bit(kSecondMemory);

  double beta1, beta2, eps, l2, kept;
  double rate;  ///< learning_rate / (1 − beta1ᵗ)
  double root;  ///< 1 / √(1 − beta2ᵗ)
  double gradient_scale;

  MEND_ON_BOTH void operator()(float (&n)[kArrays]) const {
    const double value = n[kValue];
    const double g = scaled_gradient(gradient_scale, n[kGradient]) + l2 * value;
    const double m = beta1 * n[kFirstMemory] + (1 - beta1) * g;
    const double v = beta2 * n[kSecondMemory] + (1 - beta2) * g * g;
    n[kFirstMemory] = static_cast<float>(m);
    n[kSecondMemory] = static_cast<float>(v);
    n[kValue] = static_cast<float>(kept * value - rate * m / (sqrt(v) * root + eps));
  }
};

/// Steps of one size, in the direction of a sign.
///
///   θ ← θ − rate · (sign(beta1 · m + (1 − beta1) · g) + weight_decay · θ)
///   m ← beta2 · m + (1 − beta2) · g
///
/// Lion (Chen et al. 2023, arXiv:2302.06675, algorithm 2).
struct LionRule {
  static constexpr int kArrays = 3;
  static constexpr std::uint32_t kWritten = array_bit(kValue) | array_bit(kFirstMemory);

  double rate, beta1, beta2, weight_decay;
  double gradient_scale;

  MEND_ON_BOTH void operator()(float (&n)[kArrays]) const {
    const double value = n[kValue], m = n[kFirstMemory];
    const double g = scaled_gradient(gradient_scale, n[kGradient]);
    const double mix = beta1 * m + (1 - beta1) * g;
    const double sign = mix > 0 ? 1 : mix < 0 ? -1 : 0;
    n[kValue] = static_cast<float>(value - rate * (sign + weight_decay * value));
    n[kFirstMemory] = static_cast<float>(beta2 * m + (1 - beta2) * g);
  }
};

/// array 0 ← keep · array 0 + (1 − keep) · array 1: an exponential moving average follows its value.
struct AverageRule {
  static constexpr int kArrays = 2;
  static constexpr std::uint32_t kWritten = array_bit(0);

  double keep;

  MEND_ON_BOTH void operator()(float (&n)[kArrays]) const {
    n[0] = static_cast<float>(keep * n[0] + (1 - keep) * n[1]);
  }
};

/// array 0 ← array 0 + array 1, in f32.
struct AddRule {
  static constexpr int kArrays = 2;
  static constexpr std::uint32_t kWritten = array_bit(0);

  MEND_ON_BOTH void operator()(float (&n)[kArrays]) const { n[0] += n[1]; }
};

/// array 0 ← array 1
struct CopyRule {
  static constexpr int kArrays = 2;
  static constexpr std::uint32_t kWritten = array_bit(0);

  MEND_ON_BOTH void operator()(float (&n)[kArrays]) const { n[0] = n[1]; }
};

/// array 0 ← factor · array 0
struct ScaleRule {
  static constexpr int kArrays = 1;
  static constexpr std::uint32_t kWritten = array_bit(0);

  double factor;

  MEND_ON_BOTH void operator()(float (&n)[kArrays]) const {
    n[0] = static_cast<float>(factor * n[0]);
  }
};

using NumberRule =
    std::variant<SgdRule, AdamRule, LionRule, AverageRule, AddRule, CopyRule, ScaleRule>;

}  // namespace mend

#undef MEND_ON_BOTH
