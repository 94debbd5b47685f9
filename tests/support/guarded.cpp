#include "tests/support/guarded.h"

#include <bit>
#include <cstring>

#include "tests/support/golden.h"

namespace mend::test {
namespace {

constexpr int kChannelsBefore = 3, kChannelsBehind = 2;

Shape with_margins(const Shape& s) {
  return {s.n, s.h + 2, s.w + 2, kChannelsBefore + s.c + kChannelsBehind};
}

std::uint32_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }

constexpr int kPoison = 0xFF;  // of each byte

Tensor poisoned(const Shape& shape, DType dtype) {
  const Tensor tensor = Tensor::empty(shape, dtype);
  std::memset(tensor.storage()->data(), kPoison, static_cast<std::size_t>(tensor.bytes()));
  return tensor;
}

/// Calls body(n, h, w, c, its first byte) for every element.
template <class Number, class Body>
void for_each_number(const Tensor& tensor, const Body& body) {
  const View<Number> x = tensor.view<Number>();
  for_each_element(tensor.shape(), [&](int n, int h, int w, int c) {
    body(n, h, w, c, reinterpret_cast<std::byte*>(&x(n, h, w, c)));
  });
}

template <class Body>
void for_each_address(const Tensor& tensor, const Body& body) {
  switch (tensor.dtype()) {
    case DType::kF16:
      return for_each_number<Half>(tensor, body);
    case DType::kBF16:
      return for_each_number<BFloat16>(tensor, body);
    default:
      return for_each_number<float>(tensor, body);
  }
}

}  // namespace

Tensor random_tensor(const Shape& shape, std::uint64_t seed) {
  return Tensor::from(shape, procedural_fill("random_tensor", seed, 0, 1, shape.elements()));
}

Guarded::Guarded(const Shape& shape, DType dtype)
    : whole_(poisoned(with_margins(shape), dtype)),
      inside_(whole_.crop(1, 1, shape.h, shape.w).channels(kChannelsBefore, shape.c)) {}

Guarded::Guarded(const Tensor& pixels) : Guarded(pixels.shape(), pixels.dtype()) {
  std::vector<std::byte*> places;
  for_each_address(inside_, [&](int, int, int, int, std::byte* to) { places.push_back(to); });
  auto place = places.begin();
  for_each_address(pixels, [&](int, int, int, int, const std::byte* from) {
    std::memcpy(*place++, from, size_of(pixels.dtype()));
  });
}

bool Guarded::intact() const {
  const Shape& s = inside_.shape();
  const std::size_t size = size_of(whole_.dtype());
  bool is_intact = true;
  for_each_address(whole_, [&](int, int h, int w, int c, const std::byte* number) {
    const bool inside = h >= 1 && h <= s.h && w >= 1 && w <= s.w && c >= kChannelsBefore &&
                        c < kChannelsBefore + s.c;
    for (std::size_t i = 0; i < size; ++i)
      is_intact = is_intact && (inside || number[i] == std::byte{kPoison});
  });
  return is_intact;
}

bool identical(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return false;
  const View<const float> x = a.view<const float>(), z = b.view<const float>();
  bool same = true;
  for_each_element(a.shape(), [&](int n, int h, int w, int c) {
    same = same && bits(x(n, h, w, c)) == bits(z(n, h, w, c));
  });
  return same;
}

}  // namespace mend::test
