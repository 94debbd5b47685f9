// Vectors of numbers as 8-bit integers, for quantize and for the epilogues of what writes 8 bits.
// Included once for every instruction set; see kernels/simd.h.
#include "engine/quantization.h"
#include "kernels/simd.h"

#if defined(MEND_KERNELS_QUANTIZE_QUANTIZE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_QUANTIZE_QUANTIZE_INL_H_
#undef MEND_KERNELS_QUANTIZE_QUANTIZE_INL_H_
#else
#define MEND_KERNELS_QUANTIZE_QUANTIZE_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// x · inverse_scale + zero, rounded to the nearest and kept in −128..127. Without FMA instructions
/// the sum may round differently in its last bit.
template <class D, class V>
HWY_INLINE auto to_int8(D, V x, V inverse_scale, V zero) {
  const hn::Rebind<std::int8_t, D> d8;
  // Both conversions saturate.
  return hn::DemoteTo(d8, hn::NearestInt(hn::MulAdd(x, inverse_scale, zero)));
}

}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
