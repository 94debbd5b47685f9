#include "tests/support/guarded.h"

#include <bit>
#include <limits>

#include "tests/support/golden.h"

namespace mend::test {
namespace {

constexpr int kChannelsBefore = 3, kChannelsBehind = 2;

Shape with_margins(const Shape& s) {
  return {s.n, s.h + 2, s.w + 2, kChannelsBefore + s.c + kChannelsBehind};
}

std::uint32_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }

constexpr float kPoison = std::numeric_limits<float>::quiet_NaN();

}  // namespace

Tensor random_tensor(const Shape& shape, std::uint64_t seed) {
  return Tensor::from(shape, procedural_fill("random_tensor", seed, 0, 1, shape.elements()));
}

Guarded::Guarded(const Shape& shape)
    : whole_(Tensor::full(with_margins(shape), kPoison)),
      inside_(whole_.crop(1, 1, shape.h, shape.w).channels(kChannelsBefore, shape.c)) {}

Guarded::Guarded(const Tensor& pixels) : Guarded(pixels.shape()) {
  const View<const float> from = pixels.view<const float>();
  const View<float> to = inside_.view<float>();
  for_each_element(pixels.shape(),
                   [&](int n, int h, int w, int c) { to(n, h, w, c) = from(n, h, w, c); });
}

bool Guarded::intact() const {
  const View<const float> x = whole_.view<const float>();
  const Shape& s = inside_.shape();
  bool poisoned = true;
  for_each_element(whole_.shape(), [&](int n, int h, int w, int c) {
    const bool inside = h >= 1 && h <= s.h && w >= 1 && w <= s.w && c >= kChannelsBefore &&
                        c < kChannelsBefore + s.c;
    poisoned = poisoned && (inside || bits(x(n, h, w, c)) == bits(kPoison));
  });
  return poisoned;
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
