// How code of this floor reaches the integers inside Image::bytes.
#pragma once

#include <cstdint>
#include <cstring>

#include "restore/image.h"

namespace mend {

// Pixels live in bytes; memcpy is how C++ lets them be read as 16-bit integers, at no cost.
template <class Integer>
Integer load(const std::uint8_t* at) {
  Integer value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
template <class Integer>
void store(std::uint8_t* at, Integer value) {
  std::memcpy(at, &value, sizeof value);
}

/// The value of full intensity, 255 or 65535.
template <class Integer>
constexpr Integer kFull = static_cast<Integer>(~Integer{0});

/// Calls work(Integer{}) with the integer type of the image's channels.
template <class Work>
void with_integer_of(const Image& image, Work work) {
  image.bits == 16 ? work(std::uint16_t{}) : work(std::uint8_t{});
}

}  // namespace mend
