// The truth, number by number.
#include "kernels/convert/rungs.h"

namespace mend {
namespace {

float wide(float value) { return value; }
float wide(Half value) { return to_float(value); }
float wide(BFloat16 value) { return to_float(value); }

void store(float value, float& to) { to = value; }
void store(float value, Half& to) { to = to_half(value); }
void store(float value, BFloat16& to) { to = to_bfloat16(value); }

template <class From, class To>
void convert(View<const From> x, View<To> y) {
  const Shape& s = x.shape;
  for (int n = 0; n < s.n; ++n)
    for (int h = 0; h < s.h; ++h)
      for (int w = 0; w < s.w; ++w)
        for (int c = 0; c < s.c; ++c) store(wide(x(n, h, w, c)), y(n, h, w, c));
}

}  // namespace

void convert_reference(const Tensor& x, const Tensor& y) {
  if (x.dtype() == DType::kF16) return convert(x.view<const Half>(), y.view<float>());
  if (x.dtype() == DType::kBF16) return convert(x.view<const BFloat16>(), y.view<float>());
  if (y.dtype() == DType::kF16) return convert(x.view<const float>(), y.view<Half>());
  convert(x.view<const float>(), y.view<BFloat16>());
}

}  // namespace mend
