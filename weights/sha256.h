// SHA-256, to check what was downloaded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace mend {

/// Takes bytes in pieces of any size. Source: FIPS 180-4, section 6.2.
class Sha256 {
 public:
  void add(std::span<const std::byte> bytes);
  /// The digest of all bytes so far as 64 lower-case hexadecimal digits; once, at the end.
  std::string finish();

 private:
  void process(const std::byte* block);

  // The first 32 bits of the fractional parts of the square roots of the first 8 primes.
  std::array<std::uint32_t, 8> state_ = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                         0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};
  std::array<std::byte, 64> block_ = {};
  std::uint64_t bytes_ = 0;
};

}  // namespace mend
