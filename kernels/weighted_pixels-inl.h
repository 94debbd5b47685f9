// A weighted sum of a few pixels, a vector of channels at a time: what sampling between pixels is.
// Included once for every instruction set; see kernels/simd.h.
#include "kernels/simd.h"
#include "kernels/weighted_pixels.h"

#if defined(MEND_KERNELS_WEIGHTED_PIXELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_WEIGHTED_PIXELS_INL_H_
#undef MEND_KERNELS_WEIGHTED_PIXELS_INL_H_
#else
#define MEND_KERNELS_WEIGHTED_PIXELS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

/// y[c] = Σ_i weight[i] · pixel[i][first + c] for c < count; 0 without any pixels.
HWY_INLINE void sum_pixels(const WeightedPixels& pixels, int first, int count, float* y) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  int c = 0;
  for (; c + lanes <= count; c += lanes) {
    auto sum = hn::Zero(d);
    for (int i = 0; i < pixels.count; ++i) {
      sum =
          hn::MulAdd(hn::Set(d, pixels.weight[i]), hn::LoadU(d, pixels.pixel[i] + first + c), sum);
    }
    hn::StoreU(sum, d, y + c);
  }
  for (; c < count; ++c) {
    float sum = 0;
    for (int i = 0; i < pixels.count; ++i) sum += pixels.weight[i] * pixels.pixel[i][first + c];
    y[c] = sum;
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
