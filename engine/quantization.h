// How 8-bit integers stand for numbers: x = scale[c] · (q − zero[c]), q in −128..127.
//
// Each channel has its own scale and zero point. The zero point is a whole number in −128..127, so
// that 0 has an exact code: what padding writes is what a network means by it (Jacob et al. 2018,
// arXiv:1712.05877, §2.1). Both lie in one tensor, the code of a value: [1,1,2,C], row 0 the scales,
// row 1 the zero points.
#pragma once

#include <cmath>
#include <cstdint>

#include "engine/tensor.h"

namespace mend {

constexpr float kLeastInt8 = -128, kMostInt8 = 127;

struct Quantization {
  const float* scale;  ///< [C], positive
  const float* zero;   ///< [C]
};

/// The rows of a code [1,1,2,C].
inline Quantization quantization(const View<const float>& code) {
  return {code.pixel(0, 0, 0), code.pixel(0, 0, 1)};
}

constexpr Shape code_shape(int channels) { return {1, 1, 2, channels}; }

/// The code whose integers reach from low to high, with 0 among them; low and high of 0 give scale 1.
inline void set_code(const View<float>& code, int c, float low, float high) {
  low = std::fmin(low, 0.0f);
  high = std::fmax(high, 0.0f);
  const float scale = high > low ? (high - low) / (kMostInt8 - kLeastInt8) : 1.0f;
  code(0, 0, 0, c) = scale;
  code(0, 0, 1, c) = std::nearbyint(std::fmin(kMostInt8, kLeastInt8 - low / scale));
}

/// q = x / scale + zero, rounded to the nearest (ties to even) and kept in −128..127.
inline std::int8_t quantize(float x, float inverse_scale, float zero) {
  const float q = std::fma(x, inverse_scale, zero);
  return static_cast<std::int8_t>(std::nearbyint(std::fmin(kMostInt8, std::fmax(kLeastInt8, q))));
}

}  // namespace mend
