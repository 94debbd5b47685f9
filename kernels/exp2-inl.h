// The exponential of a softmax. Included once for every instruction set; see kernels/simd.h.
#include "kernels/simd.h"

#if defined(MEND_KERNELS_EXP2_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_EXP2_INL_H_
#undef MEND_KERNELS_EXP2_INL_H_
#else
#define MEND_KERNELS_EXP2_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// exp(x) = 2^(x·kLog2E).
constexpr float kLog2E = 1.44269504f;

/// 2^t for t in [−126, 0], relative error 2e-7. NaN stays NaN; below −126 it is anything.
template <class D, class V>
HWY_INLINE V exp2_of_bounded(D d, V t) {
  const hn::RebindToSigned<D> di;
  // At this size a float's last bit counts ones: adding it rounds t to n, and leaves n + 127, the
  // exponent of 2^n, in the last bits.
  const V round = hn::Set(d, 12582912.0f + 127.0f);  // 1.5·2^23
  const V shifted = hn::Add(t, round);
  const V two_to_n = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(di, shifted)));
  const V f = hn::Sub(t, hn::Sub(shifted, round));
  // 2^f on |f| <= 1/2, minimax (Remez), relative error 7.5e-8.
  V power = hn::MulAdd(hn::Set(d, 0.0013276472f), f, hn::Set(d, 0.00967554133f));
  power = hn::MulAdd(power, f, hn::Set(d, 0.0555071327f));
  power = hn::MulAdd(power, f, hn::Set(d, 0.240221197f));
  power = hn::MulAdd(power, f, hn::Set(d, 0.693146967f));
  power = hn::MulAdd(power, f, hn::Set(d, 1.00000007f));
  return hn::Mul(power, two_to_n);
}

/// The same for all t <= 0: exactly 0 below −126, so for −infinity too.
template <class D, class V>
HWY_INLINE V exp2_of_negative(D d, V t) {
  return hn::IfThenZeroElse(hn::Lt(t, hn::Set(d, -126.0f)), exp2_of_bounded(d, t));
}

/// The same, but 2^−126 below −126: one instruction less.
template <class D, class V>
HWY_INLINE V exp2_of_negative_or_tiny(D d, V t) {
  const V least = hn::Set(d, -126.0f);
#if HWY_TARGET == HWY_SCALAR
  return exp2_of_bounded(d, hn::IfThenElse(hn::Lt(t, least), least, t));  // its Max drops a NaN
#else
  return exp2_of_bounded(d, hn::Max(least, t));  // the second of two operands if one is a NaN
#endif
}

}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
