// One line of Winograd's transforms, Bᵀ x and Aᵀ m, for F(4,3) and F(6,3). Included once for every
// instruction set; see kernels/simd.h. The matrices are Lavin & Gray's (2016) for F(4,3), and for
// F(6,3) those of the points 0, ±1, ±2, ±1/2, ∞; sums and differences of the points ±p are shared.
#include "kernels/simd.h"

#if defined(MEND_KERNELS_CONV2D_WINOGRAD_LINES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_CONV2D_WINOGRAD_LINES_INL_H_
#undef MEND_KERNELS_CONV2D_WINOGRAD_LINES_INL_H_
#else
#define MEND_KERNELS_CONV2D_WINOGRAD_LINES_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <int kTile>
struct WinogradLines;

template <>
struct WinogradLines<4> {
  using D = hn::ScalableTag<float>;
  using V = hn::Vec<D>;

  /// t[6] = Bᵀ x[6]
  static HWY_INLINE void input(D d, const V* x, V* t) {
    const V two = hn::Set(d, 2.0f), four = hn::Set(d, 4.0f), five = hn::Set(d, 5.0f);
    const V even = hn::NegMulAdd(four, x[2], x[4]), odd = hn::NegMulAdd(four, x[1], x[3]);
    const V even2 = hn::Sub(x[4], x[2]), odd2 = hn::Mul(two, hn::Sub(x[3], x[1]));
    t[0] = hn::NegMulAdd(five, x[2], hn::MulAdd(four, x[0], x[4]));
    t[1] = hn::Add(even, odd);
    t[2] = hn::Sub(even, odd);
    t[3] = hn::Add(even2, odd2);
    t[4] = hn::Sub(even2, odd2);
    t[5] = hn::NegMulAdd(five, x[3], hn::MulAdd(four, x[1], x[5]));
  }

  /// y[4] = Aᵀ m[6]
  static HWY_INLINE void output(D d, const V* m, V* y) {
    const V even = hn::Add(m[1], m[2]), odd = hn::Sub(m[1], m[2]);
    const V even2 = hn::Add(m[3], m[4]), odd2 = hn::Sub(m[3], m[4]);
    y[0] = hn::Add(hn::Add(m[0], even), even2);
    y[1] = hn::MulAdd(hn::Set(d, 2.0f), odd2, odd);
    y[2] = hn::MulAdd(hn::Set(d, 4.0f), even2, even);
    y[3] = hn::Add(hn::MulAdd(hn::Set(d, 8.0f), odd2, odd), m[5]);
  }
};

template <>
struct WinogradLines<6> {
  using D = hn::ScalableTag<float>;
  using V = hn::Vec<D>;

  /// t[8] = Bᵀ x[8]
  static HWY_INLINE void input(D d, const V* x, V* t) {
    const V c21_4 = hn::Set(d, 5.25f), c17_4 = hn::Set(d, 4.25f), c5_2 = hn::Set(d, 2.5f);
    const V half = hn::Set(d, 0.5f), quarter = hn::Set(d, 0.25f), two = hn::Set(d, 2.0f);
    t[0] = hn::MulAdd(c21_4, hn::Sub(x[4], x[2]), hn::Sub(x[0], x[6]));
    t[7] = hn::MulAdd(c21_4, hn::Sub(x[3], x[5]), hn::Sub(x[7], x[1]));
    const V even = hn::NegMulAdd(c17_4, x[4], hn::Add(x[2], x[6]));
    const V odd = hn::NegMulAdd(c17_4, x[3], hn::Add(x[1], x[5]));
    t[1] = hn::Add(even, odd);
    t[2] = hn::Sub(even, odd);
    // ±2: x6 + x2/4 − 5/4·x4 and x1/2 − 5/2·x3 + 2·x5; ±1/2: x6 + 4·x2 − 5·x4 and 2·x1 − 5/2·x3 + x5/2
    const V even2 = hn::MulAdd(quarter, hn::NegMulAdd(hn::Set(d, 5.0f), x[4], x[2]), x[6]);
    const V odd2 = hn::MulAdd(half, x[1], hn::NegMulAdd(c5_2, x[3], hn::Mul(two, x[5])));
    t[3] = hn::Add(even2, odd2);
    t[4] = hn::Sub(even2, odd2);
    const V even3 = hn::MulAdd(hn::Set(d, 4.0f), x[2], hn::NegMulAdd(hn::Set(d, 5.0f), x[4], x[6]));
    const V odd3 = hn::MulAdd(two, x[1], hn::NegMulAdd(c5_2, x[3], hn::Mul(half, x[5])));
    t[5] = hn::Add(even3, odd3);
    t[6] = hn::Sub(even3, odd3);
  }

  /// y[6] = Aᵀ m[8]
  static HWY_INLINE void output(D d, const V* m, V* y) {
    const V even = hn::Add(m[1], m[2]), odd = hn::Sub(m[1], m[2]);
    const V even2 = hn::Add(m[3], m[4]), odd2 = hn::Sub(m[3], m[4]);
    const V even3 = hn::Add(m[5], m[6]), odd3 = hn::Sub(m[5], m[6]);
    const auto at = [&](float factor2, V x2, float factor3, V x3, V x) HWY_ATTR {
      return hn::MulAdd(hn::Set(d, factor2), x2, hn::MulAdd(hn::Set(d, factor3), x3, x));
    };
    y[0] = hn::Add(hn::Add(m[0], even), hn::Add(even2, even3));
    y[1] = at(2, odd2, 1.0f / 2, odd3, odd);
    y[2] = at(4, even2, 1.0f / 4, even3, even);
    y[3] = at(8, odd2, 1.0f / 8, odd3, odd);
    y[4] = at(16, even2, 1.0f / 16, even3, even);
    y[5] = hn::Add(at(32, odd2, 1.0f / 32, odd3, odd), m[7]);
  }
};

}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
