// Division of indices by numbers that are the same for all threads of a launch.
#pragma once

#include <cstdint>

namespace mend {

/// n / d by a multiplication and a shift, for n and d below 2^31 (Granlund and Montgomery 1994, figure 4.1):
/// 4 instructions in place of about 20. Made on the host.
struct FastDivider {
  FastDivider() = default;
  explicit FastDivider(int d) : divisor(static_cast<std::uint32_t>(d)) {
    while ((std::uint64_t{1} << shift) < divisor) ++shift;
    const std::uint64_t beyond = (std::uint64_t{1} << shift) - divisor;
    multiplier = static_cast<std::uint32_t>((beyond << 32) / divisor + 1);
  }

  struct Result {
    int quotient, remainder;
  };
  __device__ Result operator()(int n) const {
    const std::uint32_t quotient =
        (__umulhi(static_cast<std::uint32_t>(n), multiplier) + n) >> shift;
    return {static_cast<int>(quotient), static_cast<int>(n - quotient * divisor)};
  }

  std::uint32_t divisor = 1, multiplier = 1, shift = 0;
};

}  // namespace mend
