// Random numbers that belong to a place and not to a moment: the same sample of the same run gets the
// same numbers, whichever worker computes it, and also after the run was stopped and resumed.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace mend {

/// A stream of numbers that (seed, index) name. Number i of it is a bijective mix of key + i·γ, which is
/// SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators", Fig. 15)
/// started at the key. Copies go on from the same place.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::uint64_t index)
      : state_(mix(mix(seed) + kGamma * (index + 1))) {}

  /// 64 random bits.
  std::uint64_t bits() { return mix(state_ += kGamma); }
  /// In [0, 1), a multiple of 2^-53.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// In {0, ..., count - 1}; the bias is below count·2^-53.
  int below(int count) { return static_cast<int>(uniform() * count); }
  bool chance(double probability) { return uniform() < probability; }
  /// Of mean 0 and deviation 1 (Box & Muller 1958).
  double gaussian() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }
  /// A stream of its own: what it draws does not move this one further.
  RandomStream fork(std::uint64_t index) { return RandomStream(bits(), index); }

 private:
  static constexpr std::uint64_t kGamma = 0x9E3779B97F4A7C15;
  static constexpr std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }

  std::uint64_t state_;
};

}  // namespace mend
