// 8-bit tensors and their codes for tests.
#pragma once

#include <cmath>
#include <cstdint>

#include "engine/quantization.h"
#include "tests/support/guarded.h"

namespace mend::test {

/// Every code that there is, in no order.
inline Tensor random_codes(const Shape& shape, std::uint64_t seed) {
  const Tensor numbers = random_tensor(shape, seed);
  const Tensor q = Tensor::empty(shape, DType::kI8);
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    q.view<std::int8_t>().data[i] =
        static_cast<std::int8_t>(std::floor(128 * numbers.view<float>().data[i]));
  }
  return q;
}

/// Scales and zero points that differ from channel to channel; some zero points at either end.
inline Tensor code_of(int channels, float reach) {
  const Tensor code = Tensor::empty(code_shape(channels));
  for (int c = 0; c < channels; ++c) {
    const float low = c % 4 == 0 ? 0 : reach * static_cast<float>(c % 7 + 1) / 8;
    const float high = c % 5 == 3 ? 0 : reach * static_cast<float>(c % 3 + 1) / 3;
    set_code(code.view<float>(), c, -low, high);
  }
  return code;
}

}  // namespace mend::test
