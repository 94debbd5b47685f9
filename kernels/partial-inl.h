// The last, incomplete vector of a row: never touches what lies beside it, where a NaN, another
// thread's pixel or the end of the memory may be. Included once for every instruction set.
#include <cstdint>

#include "kernels/simd.h"

#if defined(MEND_KERNELS_PARTIAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_PARTIAL_INL_H_
#undef MEND_KERNELS_PARTIAL_INL_H_
#else
#define MEND_KERNELS_PARTIAL_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// AVX-512 and AVX2 have loads and stores that leave masked lanes alone; the others need a detour.
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
#define MEND_MASKED_MEMORY 1
#else
#define MEND_MASKED_MEMORY 0
#endif

/// The `count` numbers at x, 0 < count <= lanes, and zeros behind them.
template <class D>
HWY_INLINE hn::Vec<D> load_partial(D d, const float* x, std::int64_t count) {
#if MEND_MASKED_MEMORY
  return hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(count)), d, x);
#else
  HWY_ALIGN float lanes[hn::MaxLanes(d)] = {};
  for (std::int64_t i = 0; i < count; ++i) lanes[i] = x[i];
  return hn::Load(d, lanes);
#endif
}

/// Writes the first `count` lanes of v to y.
template <class D, class V>
HWY_INLINE void store_partial(V v, D d, float* y, std::int64_t count) {
#if MEND_MASKED_MEMORY
  hn::BlendedStore(v, hn::FirstN(d, static_cast<std::size_t>(count)), d, y);
#else
  HWY_ALIGN float lanes[hn::MaxLanes(d)];
  hn::Store(v, d, lanes);
  for (std::int64_t i = 0; i < count; ++i) y[i] = lanes[i];
#endif
}

#undef MEND_MASKED_MEMORY

}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
