// One line of the transforms of Winograd on 8-bit activations, Bᵀ x in i16 and Aᵀ m in f32. Included
// once for every instruction set; see kernels/simd.h.
#include <cstdint>

#include "kernels/quantized_conv2d/winograd.h"
#include "kernels/simd.h"

#if defined(MEND_KERNELS_QUANTIZED_CONV2D_WINOGRAD_LINES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_QUANTIZED_CONV2D_WINOGRAD_LINES_INL_H_
#undef MEND_KERNELS_QUANTIZED_CONV2D_WINOGRAD_LINES_INL_H_
#else
#define MEND_KERNELS_QUANTIZED_CONV2D_WINOGRAD_LINES_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace {

using D = hn::ScalableTag<float>;
using D8 = hn::Rebind<std::int8_t, D>;
using D16 = hn::ScalableTag<std::int16_t>;
using D32 = hn::ScalableTag<std::int32_t>;
using V = hn::Vec<D>;
using V16 = hn::Vec<D16>;
using V32 = hn::Vec<D32>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
constexpr int kLanes16 = 2 * kLanes;
constexpr int kPack = kQuantizedPack, kChunk = kQuantizedChunk;
constexpr int kPerPack = kPack / kLanes;

template <int kTile>
struct QuantizedLines;

/// F(4,3). Rows of Bᵀ as Lavin & Gray have them; G's are 4 times theirs, at ±2 8 times, but for the
/// last. What U loses to rounding is largest at ±2, where Aᵀ would multiply it by up to 8.
template <>
struct QuantizedLines<4> {
  /// t[6] = Bᵀ x[6]; the sum of |Bᵀ| along a row is 10 at most.
  static HWY_INLINE void first(D16 d, const V16* x, V16* t) {
    const V16 five = hn::Set(d, std::int16_t{5});
    const V16 four_x2 = hn::ShiftLeft<2>(x[2]), four_x1 = hn::ShiftLeft<2>(x[1]);
    const V16 even = hn::Sub(x[4], four_x2), odd = hn::Sub(x[3], four_x1);
    const V16 even2 = hn::Sub(x[4], x[2]), odd2 = hn::ShiftLeft<1>(hn::Sub(x[3], x[1]));
    t[0] = hn::Sub(hn::Add(hn::ShiftLeft<2>(x[0]), x[4]), hn::Mul(five, x[2]));
    t[1] = hn::Add(even, odd);
    t[2] = hn::Sub(even, odd);
    t[3] = hn::Add(even2, odd2);
    t[4] = hn::Sub(even2, odd2);
    t[5] = hn::Sub(hn::Add(four_x1, x[5]), hn::Mul(five, x[3]));
  }
  static HWY_INLINE void second(D16 d, const V16* x, V16* t) { first(d, x, t); }

  /// y[4] = Aᵀ m[6]
  static HWY_INLINE void output(D d, const V* m, V* y) {
    const V even = hn::Add(m[1], m[2]), odd = hn::Sub(m[1], m[2]);
    const V even2 = hn::Add(m[3], m[4]), odd2 = hn::Sub(m[3], m[4]);
    y[0] = hn::MulAdd(hn::Set(d, 0.5f), even2, hn::Add(m[0], even));
    y[1] = hn::Add(odd, odd2);
    y[2] = hn::MulAdd(hn::Set(d, 2.0f), even2, even);
    y[3] = hn::MulAdd(hn::Set(d, 4.0f), hn::Add(odd2, m[5]), odd);
  }
};

/// F(6,3). The rows of Bᵀ at ±2 are doubled, which makes them those at ±1/2 read backwards. G's rows at
/// ±2 are 16 times those of the plain matrices and those at ±1 twice, and Aᵀ's columns less by as much:
/// U loses least where most outputs take it.
template <>
struct QuantizedLines<6> {
  /// t[8] = 4·Bᵀ x[8], exact for |x| <= 128; the sum of |Bᵀ| along a row is 15 at most.
  static HWY_INLINE void first(D16 d, const V16* x, V16* t) {
    const V16 c17 = hn::Set(d, std::int16_t{17}), c21 = hn::Set(d, std::int16_t{21});
    const V16 p = hn::Sub(x[2], x[4]), q = hn::Sub(x[6], x[4]);
    const V16 r = hn::Sub(x[1], x[3]), s = hn::Sub(x[5], x[3]);
    t[0] = hn::Sub(hn::ShiftLeft<2>(hn::Sub(x[0], x[6])), hn::Mul(c21, p));
    t[7] = hn::Sub(hn::ShiftLeft<2>(hn::Sub(x[7], x[1])), hn::Mul(c21, s));
    const V16 even = hn::Sub(hn::ShiftLeft<2>(hn::Add(x[2], x[6])), hn::Mul(c17, x[4]));
    const V16 odd = hn::Sub(hn::ShiftLeft<2>(hn::Add(x[1], x[5])), hn::Mul(c17, x[3]));
    t[1] = hn::Add(even, odd);
    t[2] = hn::Sub(even, odd);
    const V16 even2 = hn::ShiftLeft<1>(hn::Add(hn::ShiftLeft<2>(q), p));
    const V16 odd2 = hn::ShiftLeft<2>(hn::Add(hn::ShiftLeft<2>(s), r));
    t[3] = hn::Add(even2, odd2);
    t[4] = hn::Sub(even2, odd2);
    const V16 even3 = hn::ShiftLeft<2>(hn::Add(hn::ShiftLeft<2>(p), q));
    const V16 odd3 = hn::ShiftLeft<1>(hn::Add(hn::ShiftLeft<2>(r), s));
    t[5] = hn::Add(even3, odd3);
    t[6] = hn::Sub(even3, odd3);
  }

  /// t[8] = Bᵀ x[8] / 4, rounded, for |x| <= 4·15·128. No sum on the way exceeds 16 bits.
  static HWY_INLINE void second(D16 d, const V16* x, V16* t) {
    // Of a 32768th: MulFixedPoint15 rounds to the nearest.
    const V16 half = hn::Set(d, std::int16_t{16384}), quarter = hn::Set(d, std::int16_t{8192});
    const V16 c5_16 = hn::Set(d, std::int16_t{10240}), c1_16 = hn::Set(d, std::int16_t{2048});
    const V16 p = hn::Sub(x[2], x[4]), q = hn::Sub(x[6], x[4]);
    const V16 r = hn::Sub(x[1], x[3]), s = hn::Sub(x[5], x[3]);
    t[0] = hn::Sub(hn::Sub(hn::MulFixedPoint15(hn::Sub(x[0], x[6]), quarter), p),
                   hn::MulFixedPoint15(p, c5_16));
    t[7] = hn::Sub(hn::Sub(hn::MulFixedPoint15(hn::Sub(x[7], x[1]), quarter), s),
                   hn::MulFixedPoint15(s, c5_16));
    const V16 outer_even = hn::Add(x[2], x[6]), outer_odd = hn::Add(x[1], x[5]);
    const V16 sum = hn::Add(x[4], x[3]), difference = hn::Sub(x[4], x[3]);
    t[1] = hn::Sub(hn::Sub(hn::MulFixedPoint15(hn::Add(outer_even, outer_odd), quarter), sum),
                   hn::MulFixedPoint15(sum, c1_16));
    t[2] =
        hn::Sub(hn::Sub(hn::MulFixedPoint15(hn::Sub(outer_even, outer_odd), quarter), difference),
                hn::MulFixedPoint15(difference, c1_16));
    const V16 even2 = hn::MulFixedPoint15(hn::Add(q, hn::MulFixedPoint15(p, quarter)), half);
    const V16 odd2 = hn::Add(s, hn::MulFixedPoint15(r, quarter));
    t[3] = hn::Add(even2, odd2);
    t[4] = hn::Sub(even2, odd2);
    const V16 even3 = hn::Add(p, hn::MulFixedPoint15(q, quarter));
    const V16 odd3 = hn::MulFixedPoint15(hn::Add(r, hn::MulFixedPoint15(s, quarter)), half);
    t[5] = hn::Add(even3, odd3);
    t[6] = hn::Sub(even3, odd3);
  }

  /// y[6] = 2·Aᵀ m[8]
  static HWY_INLINE void output(D d, const V* m, V* y) {
    const V two = hn::Set(d, 2.0f), c2 = hn::Set(d, 1.0f / 2), c4 = hn::Set(d, 1.0f / 4);
    const V c8 = hn::Set(d, 1.0f / 8), c16 = hn::Set(d, 1.0f / 16);
    const V even = hn::Add(m[1], m[2]), odd = hn::Sub(m[1], m[2]);
    const V even2 = hn::Add(m[3], m[4]), odd2 = hn::Sub(m[3], m[4]);
    const V even3 = hn::Add(m[5], m[6]), odd3 = hn::Sub(m[5], m[6]);
    y[0] = hn::MulAdd(c16, even2, hn::MulAdd(two, hn::Add(m[0], even3), even));
    y[1] = hn::MulAdd(c8, odd2, hn::Add(odd, odd3));
    y[2] = hn::MulAdd(c4, even2, hn::MulAdd(c2, even3, even));
    y[3] = hn::MulAdd(c2, odd2, hn::MulAdd(c4, odd3, odd));
    y[4] = hn::MulAdd(c8, even3, hn::Add(even, even2));
    y[5] = hn::MulAdd(two, hn::Add(odd2, m[7]), hn::MulAdd(c16, odd3, odd));
  }
};

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
