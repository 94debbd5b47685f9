// A run of numbers in whole vectors. Included once for every instruction set; see kernels/simd.h.
#include <cstdint>

#include "kernels/simd.h"

#if defined(MEND_KERNELS_EACH_VECTOR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_EACH_VECTOR_INL_H_
#undef MEND_KERNELS_EACH_VECTOR_INL_H_
#else
#define MEND_KERNELS_EACH_VECTOR_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// body(d, i) for i over [0, count) in whole vectors, then one by one with the same instructions: a
/// number does not depend on where in a row it stands.
template <class Body>
HWY_INLINE void for_each_vector(std::int64_t count, const Body& body) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) body(d, i);
  for (; i < count; ++i) body(one, i);
}

}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
