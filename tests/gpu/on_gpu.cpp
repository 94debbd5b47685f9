#include "tests/gpu/on_gpu.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/guarded.h"

namespace mend::test {
namespace {

template <class From, class To, class Convert>
Tensor map(const Tensor& x, const Convert& convert) {
  const Tensor dense = x.clone();
  const Tensor y = Tensor::empty(x.shape(), dtype_of<To>());
  const From* from = dense.view<const From>().data;
  std::transform(from, from + x.shape().elements(), y.view<To>().data, convert);
  return y;
}

float narrow_to_float(Half value) { return to_float(value); }
float narrow_to_float(BFloat16 value) { return to_float(value); }

Shape with_margins(const Shape& s, Margins margins) {
  return {s.n, s.h + 2, s.w + 2, margins.before + s.c + margins.behind};
}

}  // namespace

Tensor converted(const Tensor& x, DType type) {
  if (x.dtype() == type) return x.clone();
  if (x.dtype() == DType::kF16)
    return map<Half, float>(x, [](Half v) { return narrow_to_float(v); });
  if (x.dtype() == DType::kBF16) {
    return map<BFloat16, float>(x, [](BFloat16 v) { return narrow_to_float(v); });
  }
  if (type == DType::kF16) return map<float, Half>(x, [](float v) { return to_half(v); });
  return map<float, BFloat16>(x, [](float v) { return to_bfloat16(v); });
}

Tensor to_gpu(const Tensor& host, DType type) {
  if (!host) return {};
  const Tensor dense = converted(host, type);
  const Tensor y = Tensor::empty(host.shape(), type, gpu(0));
  gpu(0).copy(y.storage()->data(), dense.address(), static_cast<std::size_t>(dense.bytes()));
  return y;
}

Tensor to_host(const Tensor& on_gpu) {
  const Tensor dense = on_gpu.dense() ? on_gpu : on_gpu.clone();
  const Tensor host = Tensor::empty(on_gpu.shape(), on_gpu.dtype());
  gpu(0).copy(host.storage()->data(), dense.address(), static_cast<std::size_t>(host.bytes()));
  return converted(host, DType::kF32);
}

GuardedOnGpu::GuardedOnGpu(const Shape& shape, DType type, Margins margins)
    : GuardedOnGpu(Tensor::full(shape, std::numeric_limits<float>::quiet_NaN()), type, margins) {}

GuardedOnGpu::GuardedOnGpu(const Tensor& pixels, DType type, Margins margins) : margins_(margins) {
  const Shape s = pixels.shape();
  const Tensor host =
      Tensor::full(with_margins(s, margins), std::numeric_limits<float>::quiet_NaN());
  const View<const float> from = pixels.view<const float>();
  const View<float> to = host.view<float>();
  for_each_element(s, [&](int n, int h, int w, int c) {
    to(n, h + 1, w + 1, c + margins.before) = from(n, h, w, c);
  });
  whole_ = to_gpu(host, type);
  inside_ = whole_.crop(1, 1, s.h, s.w).channels(margins.before, s.c);
}

bool GuardedOnGpu::intact() const {
  const Tensor host = to_host(whole_);
  const View<const float> x = host.view<const float>();
  const Shape s = inside_.shape();
  bool poisoned = true;
  for_each_element(whole_.shape(), [&](int n, int h, int w, int c) {
    const bool inside = h >= 1 && h <= s.h && w >= 1 && w <= s.w && c >= margins_.before &&
                        c < margins_.before + s.c;
    poisoned = poisoned && (inside || std::isnan(x(n, h, w, c)));
  });
  return poisoned;
}

}  // namespace mend::test
