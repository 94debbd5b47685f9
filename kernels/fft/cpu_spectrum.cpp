// Products of spectra, a vector of complex numbers at a time: memory is the limit, and the
// instruction set does not matter much; pairs are split and joined on the way.
#include "kernels/fft/spectrum_rungs.h"
#include "kernels/rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/fft/cpu_spectrum.cpp"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// One pixel of 2·numbers channels; `sign` is −1 for the conjugate of z.
void multiply_pixel(const float* x, const float* z, float sign, int numbers, float* y) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto signs = hn::Set(d, sign);
  int c = 0;
  for (; c + lanes <= numbers; c += lanes) {
    hn::Vec<decltype(d)> a, b, re, im;
    hn::LoadInterleaved2(d, x + 2 * c, a, b);
    hn::LoadInterleaved2(d, z + 2 * c, re, im);
    im = hn::Mul(im, signs);
    hn::StoreInterleaved2(hn::NegMulAdd(b, im, hn::Mul(a, re)), hn::MulAdd(b, re, hn::Mul(a, im)),
                          d, y + 2 * c);
  }
  for (; c < numbers; ++c) {
    const float a = x[2 * c], b = x[2 * c + 1], re = z[2 * c], im = sign * z[2 * c + 1];
    y[2 * c] = a * re - b * im;
    y[2 * c + 1] = a * im + b * re;
  }
}

void gain_pixel(const float* x, const float* gain, int numbers, float* y) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  int c = 0;
  for (; c + lanes <= numbers; c += lanes) {
    hn::Vec<decltype(d)> re, im;
    hn::LoadInterleaved2(d, x + 2 * c, re, im);
    const auto factor = hn::LoadU(d, gain + c);
    hn::StoreInterleaved2(hn::Mul(re, factor), hn::Mul(im, factor), d, y + 2 * c);
  }
  for (; c < numbers; ++c) {
    y[2 * c] = x[2 * c] * gain[c];
    y[2 * c + 1] = x[2 * c + 1] * gain[c];
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(multiply_pixel);
HWY_EXPORT(gain_pixel);

namespace {

/// body(pixel of x, pixel of z that belongs to it, pixel of y) for all pixels, on all threads.
template <class Body>
void for_each_pixel(View<const float> x, View<const float> z, View<float> y, const Body& body) {
  for_each_run(y.shape, [&](const Run& run) {
    for (int w = run.w; w < run.w + run.count; ++w) {
      const float* again = z.pixel(run.n % z.shape.n, run.h % z.shape.h, w % z.shape.w);
      body(x.pixel(run.n, run.h, w), again, y.pixel(run.n, run.h, w));
    }
  });
}

}  // namespace

void complex_multiply_simd(const op::ComplexMultiply& op, View<const float> x, View<const float> z,
                           View<float> y) {
  const float sign = op.conjugate_b ? -1.0f : 1.0f;
  for_each_pixel(x, z, y, [&](const float* from, const float* again, float* to) {
    HWY_DYNAMIC_DISPATCH(multiply_pixel)(from, again, sign, y.shape.c / 2, to);
  });
}

void spectral_gain_simd(const op::SpectralGain&, View<const float> x, View<const float> gain,
                        View<float> y) {
  for_each_pixel(x, gain, y, [&](const float* from, const float* again, float* to) {
    HWY_DYNAMIC_DISPATCH(gain_pixel)(from, again, y.shape.c / 2, to);
  });
}

}  // namespace mend
#endif
