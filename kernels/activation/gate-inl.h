// A row of gated pixels. Included once for every instruction set; see kernels/simd.h.
#include <algorithm>

#include "kernels/activation/activation-inl.h"
#include "kernels/partial-inl.h"
#include "kernels/simd.h"

#if defined(MEND_KERNELS_ACTIVATION_GATE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_ACTIVATION_GATE_INL_H_
#undef MEND_KERNELS_ACTIVATION_GATE_INL_H_
#else
#define MEND_KERNELS_ACTIVATION_GATE_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {

/// y = activation(x) · z for pixels of `channels` numbers; the strides are the distances between pixels.
struct GatePixels {
  const float* x;
  std::int64_t x_stride;
  const float* z;
  std::int64_t z_stride;
  float* y;
  std::int64_t y_stride;
  int pixels;
  std::int64_t channels;
  float parameter;  // of the activation

  template <class Function>
  HWY_INLINE void operator()(Function function) const {
    const hn::ScalableTag<float> d;
    const std::int64_t lanes = hn::Lanes(d);
    const auto slope = hn::Set(d, parameter);
    for (int p = 0; p < pixels; ++p) {
      const float* a = x + p * x_stride;
      const float* b = z + p * z_stride;
      float* out = y + p * y_stride;
      std::int64_t c = 0;
      for (; c + lanes <= channels; c += lanes) {
        const auto opened = function(d, hn::LoadU(d, a + c), slope);
        hn::StoreU(hn::Mul(opened, hn::LoadU(d, b + c)), d, out + c);
      }
      if (c == channels) continue;
      const std::int64_t rest = channels - c;
      const auto opened = function(d, load_partial(d, a + c, rest), slope);
      store_partial(hn::Mul(opened, load_partial(d, b + c, rest)), d, out + c, rest);
    }
  }
};

}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
