#include "engine/dtype.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

namespace mend::test {
namespace {

std::uint32_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }
bool is_nan(Half half) { return (half.bits & 0x7FFFu) > 0x7C00u; }
bool is_nan(BFloat16 value) { return (value.bits & 0x7FFFu) > 0x7F80u; }

/// Calls body(value) for numbers that are hard to round, and for many others.
template <class Body>
void for_many_floats(const Body& body) {
  for (std::uint32_t high = 0; high <= 0xFFFFu; ++high) {
    for (const std::uint32_t low : {0x0000u, 0x0001u, 0x0FFFu, 0x1000u, 0x1001u, 0x7FFFu, 0x8000u,
                                    0x8001u, 0xEFFFu, 0xF000u, 0xFFFFu}) {
      body(std::bit_cast<float>(high << 16 | low));
    }
  }
  std::mt19937 random(1);
  for (int i = 0; i < 1000000; ++i)
    body(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
}

}  // namespace

TEST_CASE("dtype: all 65536 half values survive the way through f32") {
  int wrong = 0;
  for (std::uint32_t i = 0; i <= 0xFFFFu; ++i) {
    const Half half{static_cast<std::uint16_t>(i)};
    const Half back = to_half(to_float(half));
    if (is_nan(half) ? !is_nan(back) : back.bits != half.bits) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("dtype: all 65536 bfloat16 values survive the way through f32") {
  int wrong = 0;
  for (std::uint32_t i = 0; i <= 0xFFFFu; ++i) {
    const BFloat16 value{static_cast<std::uint16_t>(i)};
    const BFloat16 back = to_bfloat16(to_float(value));
    if (is_nan(value) ? !is_nan(back) : back.bits != value.bits) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("dtype: half rounds to nearest, ties to even") {
  CHECK(to_half(1.0f).bits == 0x3C00);
  CHECK(to_half(1.0f + 0x1p-11f).bits == 0x3C00);             // a tie: down to even
  CHECK(to_half(1.0f + 3 * 0x1p-11f).bits == 0x3C02);         // a tie: up to even
  CHECK(to_half(1.0f + 0x1p-11f + 0x1p-20f).bits == 0x3C01);  // above the tie
  CHECK(to_half(65504.0f).bits == 0x7BFF);
  CHECK(to_half(65519.0f).bits == 0x7BFF);
  CHECK(to_half(65520.0f).bits == 0x7C00);  // infinity
  CHECK(to_half(-1e9f).bits == 0xFC00);
  CHECK(to_half(0x1p-24f).bits == 0x0001);  // the smallest subnormal
  CHECK(to_half(0x1p-25f).bits == 0x0000);  // half of it: a tie, to even
  CHECK(to_half(3 * 0x1p-25f).bits == 0x0002);
  CHECK(to_half(-0.0f).bits == 0x8000);
  CHECK(is_nan(to_half(std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("dtype: bfloat16 rounds to nearest, ties to even") {
  CHECK(to_bfloat16(1.0f + 0x1p-8f).bits == 0x3F80);
  CHECK(to_bfloat16(1.0f + 3 * 0x1p-8f).bits == 0x3F82);
  CHECK(to_bfloat16(1.0f + 0x1p-8f + 0x1p-20f).bits == 0x3F81);
  CHECK(to_bfloat16(std::numeric_limits<float>::max()).bits == 0x7F80);
  CHECK(is_nan(to_bfloat16(std::bit_cast<float>(0x7F800001u))));  // payload in the lower half only
}

#ifdef __FLT16_MANT_DIG__
TEST_CASE("dtype: half converts as the compiler's own 16-bit type does") {
  int wrong = 0;
  for_many_floats([&](float value) {
    const Half half = to_half(value);
    const auto expected = std::bit_cast<std::uint16_t>(static_cast<_Float16>(value));
    if (std::isnan(value) ? !is_nan(half) : half.bits != expected) ++wrong;
  });
  for (std::uint32_t i = 0; i <= 0xFFFFu; ++i) {
    const Half half{static_cast<std::uint16_t>(i)};
    const float expected = static_cast<float>(std::bit_cast<_Float16>(half.bits));
    if (!is_nan(half) && bits(to_float(half)) != bits(expected)) ++wrong;
  }
  CHECK(wrong == 0);
}
#endif

TEST_CASE("dtype: bfloat16 is never further from a number than half a step") {
  int wrong = 0;
  for_many_floats([&](float value) {
    if (!std::isfinite(value) || std::abs(value) > 3e38f) return;
    const double rounded = to_float(to_bfloat16(value));
    const double step = std::max(std::abs(double{value}) * 0x1p-8, 0x1p-134);
    if (std::abs(rounded - value) > step) ++wrong;
  });
  CHECK(wrong == 0);
}

TEST_CASE("dtype: sizes and names") {
  CHECK(size_of(DType::kF32) == 4);
  CHECK(size_of(DType::kBF16) == 2);
  CHECK(size_of(DType::kU8) == 1);
  CHECK(name_of(DType::kF16) == "f16");
  CHECK(dtype_of<BFloat16>() == DType::kBF16);
}

}  // namespace mend::test
