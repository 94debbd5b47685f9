// How code of this floor reaches the numbers inside Image::bytes.
#pragma once

#include <cstdint>
#include <cstring>

#include "restore/image.h"

namespace mend {

// Pixels live in bytes; memcpy is how C++ lets them be read as wider numbers, at no cost.
template <class Number>
Number load(const std::uint8_t* at) {
  Number value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
template <class Number>
void store(std::uint8_t* at, Number value) {
  std::memcpy(at, &value, sizeof value);
}

/// The value of full intensity, 255, 65535 or 1.
template <class Number>
constexpr Number kFull = static_cast<Number>(~Number{0});
template <>
inline constexpr float kFull<float> = 1.0f;

/// Calls work(Number{}) with the type of the image's channels.
template <class Work>
void with_number_of(int bits, Work work) {
  if (bits == 32) return work(float{});
  bits == 16 ? work(std::uint16_t{}) : work(std::uint8_t{});
}
template <class Work>
void with_number_of(const Image& image, Work work) {
  with_number_of(image.bits, work);
}

}  // namespace mend
