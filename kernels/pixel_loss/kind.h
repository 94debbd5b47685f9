// The losses by name; device code includes this alone.
#pragma once

namespace mend {

// clang-format off
enum class PixelLossKind {
  kL1,           // ρ(d) = |d|
  kMse,          // ρ(d) = d²
  kSmoothL1,     // ρ(d) = d²/(2·β) where |d| < β, |d| − β/2 elsewhere     (Girshick 2015)
  kCharbonnier,  // ρ(d) = √(d² + ε²)                                      (Charbonnier et al. 1994)
  kLogarithm,    // ρ(d) = ln(|d| + ε)
  kRoot,         // ρ(d) = √|d|
  kKnownL1,      // ρ(d) = |d| where the target is a number, 0 where it is NaN
  // Of a logit x, where s = 2·target − 1: a target of 1 wants it above 0, one of 0 below.
  kLogistic,     // ρ = ln(1 + exp(−s·x)), cross-entropy of the sigmoid    (Goodfellow et al. 2014)
  kHinge,        // ρ = max(0, 1 − s·x)                                    (Lim & Ye 2017)
  kWasserstein,  // ρ = −s·x                                               (Arjovsky et al. 2017)
  kKnown,        // ρ = 1 where the target is a number, 0 where it is NaN
};
// clang-format on

/// weight · Σ ρ / M over all M numbers, d = x − target; `parameter` is kSmoothL1's β, kCharbonnier's
/// and kLogarithm's ε.
struct PixelLoss {
  PixelLossKind kind = PixelLossKind::kL1;
  double parameter = 0;
  double weight = 1;

  bool operator==(const PixelLoss&) const = default;
};

}  // namespace mend
