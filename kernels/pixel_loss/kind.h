// The losses by name; device code includes this alone.
#pragma once

namespace mend {

// clang-format off
enum class PixelLossKind {
  kL1,           // ρ(d) = |d|
  kMse,          // ρ(d) = d²
  kSmoothL1,     // ρ(d) = d²/(2·β) where |d| < β, |d| − β/2 elsewhere     (Girshick 2015)
  kCharbonnier,  // ρ(d) = √(d² + ε²)                                      (Charbonnier et al. 1994)
};
// clang-format on

/// weight · Σ ρ(x − target) / M over all M numbers; `parameter` is kSmoothL1's β, kCharbonnier's ε.
struct PixelLoss {
  PixelLossKind kind = PixelLossKind::kL1;
  double parameter = 0;
  double weight = 1;

  bool operator==(const PixelLoss&) const = default;
};

}  // namespace mend
