// Vectors of f32 from pixels of f32, f16 or bf16, and back. Included once for every instruction set; see
// kernels/simd.h. Numbers are rounded to the nearest, ties to even, as engine/dtype.h does it.
#include <cstdint>
#include <type_traits>

#include "engine/dtype.h"
#include "kernels/simd.h"

#if defined(MEND_KERNELS_NARROW_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_NARROW_LANES_INL_H_
#undef MEND_KERNELS_NARROW_LANES_INL_H_
#else
#define MEND_KERNELS_NARROW_LANES_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Whether the processor converts f16 itself: without F16C it is done number by number.
constexpr bool kConvertsHalf = HWY_TARGET <= HWY_AVX2 || HWY_ARCH_ARM_A64;

inline float to_f32(float value) { return value; }
inline float to_f32(Half value) { return to_float(value); }
inline float to_f32(BFloat16 value) { return to_float(value); }

inline void from_f32(float value, float& to) { to = value; }
inline void from_f32(float value, Half& to) { to = to_half(value); }
inline void from_f32(float value, BFloat16& to) { to = to_bfloat16(value); }

/// How the lanes of a vector of D lie in pixels of T: as they are, or as 16 bits.
template <class T, class D>
struct StoredLanes {
  using Tag = hn::Rebind<std::uint16_t, D>;
  static const std::uint16_t* lanes(const T* at) { return &at->bits; }
  static std::uint16_t* lanes(T* at) { return &at->bits; }
};
template <class D>
struct StoredLanes<float, D> {
  using Tag = D;
  static const float* lanes(const float* at) { return at; }
  static float* lanes(float* at) { return at; }
};
template <class T, class D>
using StoredTag = typename StoredLanes<T, D>::Tag;
template <class T, class D>
using StoredVec = hn::Vec<StoredTag<T, D>>;

/// f32 of what was loaded from pixels of T.
template <class T, class D>
HWY_INLINE hn::Vec<D> widen(D d, StoredVec<T, D> stored) {
  if constexpr (std::is_same_v<T, float>) {
    return stored;
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    const hn::Rebind<std::uint32_t, D> d32;
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(d32, stored)));
  } else if constexpr (kConvertsHalf) {
    const hn::Rebind<hwy::float16_t, D> half;
    return hn::PromoteTo(d, hn::BitCast(half, stored));
  } else {
    HWY_ALIGN std::uint16_t bits[hn::MaxLanes(D())];
    HWY_ALIGN float lanes[hn::MaxLanes(D())];
    hn::Store(stored, StoredTag<T, D>(), bits);
    for (std::size_t i = 0; i < hn::Lanes(d); ++i) lanes[i] = to_float(Half{bits[i]});
    return hn::Load(d, lanes);
  }
}

/// What is stored for f32 in pixels of T.
template <class T, class D>
HWY_INLINE StoredVec<T, D> narrow([[maybe_unused]] D d, hn::Vec<D> v) {
  const StoredTag<T, D> stored;
  if constexpr (std::is_same_v<T, float>) {
    return v;
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    const hn::Rebind<std::uint32_t, D> d32;
    const auto bits = hn::BitCast(d32, v);
    const auto is_odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1));
    const auto rounded = hn::Add(bits, hn::Add(is_odd, hn::Set(d32, 0x7FFF)));
    // Rounding could carry a NaN's bits into its sign.
    const auto quiet = hn::Or(bits, hn::Set(d32, 0x400000));
    const auto chosen = hn::IfThenElse(hn::RebindMask(d32, hn::IsNaN(v)), quiet, rounded);
    return hn::TruncateTo(stored, hn::ShiftRight<16>(chosen));
  } else if constexpr (kConvertsHalf) {
    const hn::Rebind<hwy::float16_t, D> half;
    return hn::BitCast(stored, hn::DemoteTo(half, v));
  } else {
    HWY_ALIGN std::uint16_t bits[hn::MaxLanes(D())];
    HWY_ALIGN float lanes[hn::MaxLanes(D())];
    hn::Store(v, d, lanes);
    for (std::size_t i = 0; i < hn::Lanes(d); ++i) bits[i] = to_half(lanes[i]).bits;
    return hn::Load(stored, bits);
  }
}

template <class D, class T>
HWY_INLINE hn::Vec<D> load_f32(D d, const T* from) {
  return widen<T>(d, hn::LoadU(StoredTag<T, D>(), StoredLanes<T, D>::lanes(from)));
}

template <class D, class T>
HWY_INLINE void store_f32(hn::Vec<D> v, D d, T* to) {
  hn::StoreU(narrow<T>(d, v), StoredTag<T, D>(), StoredLanes<T, D>::lanes(to));
}

}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
