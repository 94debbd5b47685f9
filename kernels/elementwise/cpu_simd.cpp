// One pass over memory at the speed of the cache or the DRAM stream: nothing is left to win in the
// arithmetic, so the code only sees to it that all lanes are busy. Where the channels of all views
// lie side by side, a run of pixels is one long vector; else each pixel's channels are.
#include <limits>

#include "engine/parallel.h"
#include "kernels/elementwise/variants.h"
#include "kernels/rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise/cpu_simd.cpp"
#include "kernels/activation/activation-inl.h"
#include "kernels/each_vector-inl.h"

#ifndef MEND_ELEMENTWISE_CPU_SIMD_ONCE
#define MEND_ELEMENTWISE_CPU_SIMD_ONCE
namespace mend {

/// One input of a run: `pixels` apart, each with channels side by side, or one number for all.
struct RunInput {
  const float* data = nullptr;
  std::int64_t w_stride = 0;
  bool one_channel = false;
};

}  // namespace mend
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

struct AffineBody {
  op::Affine affine;
  const float* x;
  float* y;

  template <class D>
  HWY_INLINE void operator()(D d, std::int64_t i) const {
    auto value =
        hn::MulAdd(hn::Set(d, affine.scale), hn::LoadU(d, x + i), hn::Set(d, affine.offset));
    // Comparisons with NaN are false, so NaN stays; Min and Max differ between instruction sets.
    const auto low = hn::Set(d, affine.low), high = hn::Set(d, affine.high);
    value = hn::IfThenElse(hn::Lt(value, low), low, value);
    hn::StoreU(hn::IfThenElse(hn::Gt(value, high), high, value), d, y + i);
  }
};

void affine_run(const op::Affine& affine, const float* x, std::int64_t x_stride, float* y,
                std::int64_t y_stride, std::int64_t count, std::int64_t channels) {
  for (std::int64_t w = 0; w < count; ++w) {
    for_each_vector(channels, AffineBody{affine, x + w * x_stride, y + w * y_stride});
  }
}

/// ln(x) for x >= 0; instead of infinity ±1e30, so that 0 times it is 0.
template <class D, class V>
HWY_INLINE V logarithm(D d, V x) {
  const hn::RebindToSigned<D> di;
  // x = m·2^e with m in [√½, √2): the exponent of x/√½, read off the bits.
  const auto bits = hn::BitCast(di, x);
  const auto e = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(di, 0x3F3504F3)));
  const V m = hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<23>(e)));
  const V near_0 = log_1_plus(d, hn::Sub(m, hn::Set(d, 1.0f)));  // its fit is odd: below 0 too
  const V log = hn::MulAdd(hn::ConvertTo(d, e), hn::Set(d, 0.693147181f), near_0);
  const V above = hn::IfThenElse(hn::Lt(x, hn::Set(d, 0x1p-126f)), hn::Set(d, -1e30f), log);
  return hn::IfThenElse(hn::Gt(x, hn::Set(d, 3.4028235e38f)), hn::Set(d, 1e30f), above);
}

/// x^z for x >= 0, else NaN.
template <class D, class V>
HWY_INLINE V power(D d, V x, V z) {
  const V y = exponential(d, hn::Mul(z, logarithm(d, x)));
  const V nan = hn::Set(d, std::numeric_limits<float>::quiet_NaN());
  return hn::IfThenElse(hn::Ge(x, hn::Zero(d)), y, nan);
}

template <BinaryKind kKind, class D, class V>
HWY_INLINE V combine(D d, V x, V z) {
  if constexpr (kKind == BinaryKind::kAdd) return hn::Add(x, z);
  if constexpr (kKind == BinaryKind::kSubtract) return hn::Sub(x, z);
  if constexpr (kKind == BinaryKind::kMultiply) return hn::Mul(x, z);
  if constexpr (kKind == BinaryKind::kDivide) return hn::Div(x, z);
  // A comparison with NaN is false: that keeps a NaN of x, and one of z is asked for.
  if constexpr (kKind == BinaryKind::kMinimum) {
    return hn::IfThenElse(hn::Or(hn::Lt(z, x), hn::IsNaN(z)), z, x);
  }
  if constexpr (kKind == BinaryKind::kMaximum) {
    return hn::IfThenElse(hn::Or(hn::Gt(z, x), hn::IsNaN(z)), z, x);
  }
  if constexpr (kKind == BinaryKind::kPower) return power(d, x, z);
}

template <BinaryKind kKind, bool kOneX, bool kOneZ>
struct BinaryBody {
  const float* x;
  const float* z;
  float* y;

  template <class D>
  HWY_INLINE void operator()(D d, std::int64_t i) const {
    const auto xs = kOneX ? hn::Set(d, *x) : hn::LoadU(d, x + (kOneX ? 0 : i));
    const auto zs = kOneZ ? hn::Set(d, *z) : hn::LoadU(d, z + (kOneZ ? 0 : i));
    hn::StoreU(combine<kKind>(d, xs, zs), d, y + i);
  }
};

template <BinaryKind kKind, bool kOneX, bool kOneZ>
void binary_pixels(RunInput x, RunInput z, float* y, std::int64_t y_stride, std::int64_t count,
                   std::int64_t channels) {
  for (std::int64_t w = 0; w < count; ++w) {
    for_each_vector(
        channels, BinaryBody<kKind, kOneX, kOneZ>{x.data + w * x.w_stride, z.data + w * z.w_stride,
                                                  y + w * y_stride});
  }
}

template <BinaryKind kKind>
void binary_run_of(RunInput x, RunInput z, float* y, std::int64_t y_stride, std::int64_t count,
                   std::int64_t channels) {
  if (x.one_channel) {
    binary_pixels<kKind, true, false>(x, z, y, y_stride, count, channels);
  } else if (z.one_channel) {
    binary_pixels<kKind, false, true>(x, z, y, y_stride, count, channels);
  } else {
    binary_pixels<kKind, false, false>(x, z, y, y_stride, count, channels);
  }
}

void binary_run(BinaryKind kind, RunInput x, RunInput z, float* y, std::int64_t y_stride,
                std::int64_t count, std::int64_t channels) {
  switch (kind) {
    case BinaryKind::kAdd:
      return binary_run_of<BinaryKind::kAdd>(x, z, y, y_stride, count, channels);
    case BinaryKind::kSubtract:
      return binary_run_of<BinaryKind::kSubtract>(x, z, y, y_stride, count, channels);
    case BinaryKind::kMultiply:
      return binary_run_of<BinaryKind::kMultiply>(x, z, y, y_stride, count, channels);
    case BinaryKind::kDivide:
      return binary_run_of<BinaryKind::kDivide>(x, z, y, y_stride, count, channels);
    case BinaryKind::kMinimum:
      return binary_run_of<BinaryKind::kMinimum>(x, z, y, y_stride, count, channels);
    case BinaryKind::kMaximum:
      return binary_run_of<BinaryKind::kMaximum>(x, z, y, y_stride, count, channels);
    case BinaryKind::kPower:
      return binary_run_of<BinaryKind::kPower>(x, z, y, y_stride, count, channels);
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {

HWY_EXPORT(affine_run);
HWY_EXPORT(binary_run);

namespace {

/// x as the run of y sees it: an extent of 1 stays where it is.
RunInput input_of_run(View<const float> x, const Shape& y, const Run& run) {
  const Shape& s = x.shape;
  return {x.pixel(s.n == 1 ? 0 : run.n, s.h == 1 ? 0 : run.h, s.w == 1 ? 0 : run.w),
          s.w == 1 && y.w > 1 ? 0 : x.w_stride, s.c == 1 && y.c > 1};
}

}  // namespace

void affine_simd(const op::Affine& affine, View<const float> x, View<float> y) {
  const std::int64_t C = y.shape.c;
  const bool flat = x.w_stride == C && y.w_stride == C;
  for_each_run(y.shape, [&](const Run& run) {
    HWY_DYNAMIC_DISPATCH(affine_run)
    (affine, x.pixel(run.n, run.h, run.w), x.w_stride, y.pixel(run.n, run.h, run.w), y.w_stride,
     flat ? 1 : run.count, flat ? run.count * C : C);
  });
}

void binary_simd(const op::Binary& binary, View<const float> x, View<const float> z,
                 View<float> y) {
  const std::int64_t C = y.shape.c;
  for_each_run(y.shape, [&](const Run& run) {
    const RunInput xs = input_of_run(x, y.shape, run), zs = input_of_run(z, y.shape, run);
    const bool flat = !xs.one_channel && !zs.one_channel && xs.w_stride == C && zs.w_stride == C &&
                      y.w_stride == C;
    HWY_DYNAMIC_DISPATCH(binary_run)
    (binary.kind, xs, zs, y.pixel(run.n, run.h, run.w), y.w_stride, flat ? 1 : run.count,
     flat ? run.count * C : C);
  });
}

}  // namespace mend
#endif
