// A hash that is the same on every machine and in every build, to name things by and to tell them apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace mend {

/// FNV-1a of 64 bits (Fowler, Noll, Vo, RFC 9923). Not against someone who wants two things to have the same.
inline std::uint64_t fnv1a(std::span<const std::byte> bytes) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const std::byte byte : bytes) {
    hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001B3;
  }
  return hash;
}

}  // namespace mend
