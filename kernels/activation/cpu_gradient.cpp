// One pass over memory: what counts is that all lanes are busy. Where the channels of all views lie
// side by side and no slope differs from channel to channel, a run of pixels is one long vector.
#include <cmath>

#include "kernels/activation/gradient.h"
#include "kernels/rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/activation/cpu_gradient.cpp"
#include "kernels/activation/activation-inl.h"
#include "kernels/partial-inl.h"

#ifndef MEND_ACTIVATION_CPU_GRADIENT_ONCE
#define MEND_ACTIVATION_CPU_GRADIENT_ONCE
namespace mend {

/// `pixels` pixels of `channels` numbers; the strides are the distances between pixels.
struct GradientRun {
  const float* seen;
  std::int64_t seen_stride;
  const float* dy;
  std::int64_t dy_stride;
  float* y;
  std::int64_t y_stride;
  std::int64_t pixels, channels;
  const float* slope;  // of each channel, or of all
  bool shared_slope;
};

}  // namespace mend
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// One functor a kind: the derivative from what is seen, see kernels/activation/gradient.h. `a` is the
// slope of each lane's channel, or the activation's parameter. NaN gives NaN or the slope of one
// side, times a dy that is then NaN itself.

struct Constant {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V, V) const {
    return hn::Set(d, 1.0f);
  }
};
/// `top` where low < seen < high, else 0.
struct Step {
  float low, high, top;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V seen, V) const {
    const auto inside = hn::And(hn::Gt(seen, hn::Set(d, low)), hn::Lt(seen, hn::Set(d, high)));
    return hn::IfThenElseZero(inside, hn::Set(d, top));
  }
};
struct SlopedStep {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V seen, V a) const {
    return hn::IfThenElse(hn::Gt(seen, hn::Zero(d)), hn::Set(d, 1.0f), a);
  }
};
struct EluOfResult {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V y, V a) const {
    return hn::IfThenElse(hn::Gt(y, hn::Zero(d)), hn::Set(d, 1.0f), hn::Add(y, a));
  }
};
struct EluOfInput {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V a) const {
    const V below = hn::Mul(a, exponential(d, at_most(d, x, 0.0f)));
    return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), hn::Set(d, 1.0f), below);
  }
};
struct GeluSlope {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V) const {
    const V half = hn::Set(d, 0.5f);
    const V cumulative = hn::MulAdd(half, erf_of_root_half(d, x), half);
    const V density = exponential(d, hn::Mul(hn::Set(d, -0.5f), hn::Mul(x, x)));
    return hn::MulAdd(hn::Mul(x, hn::Set(d, 0.39894228f)), density, cumulative);
  }
};
struct GeluTanhSlope {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V) const {
    constexpr float kTwiceSqrtTwoOverPi = 1.59576912f;
    const V one = hn::Set(d, 1.0f), factor = hn::Set(d, kTwiceSqrtTwoOverPi);
    const V squares = hn::Mul(hn::Set(d, 0.044715f), hn::Mul(x, x));
    const V s = logistic(d, hn::Mul(factor, hn::MulAdd(squares, x, x)));
    const V inner = hn::Mul(factor, hn::MulAdd(hn::Set(d, 3.0f), squares, one));
    return hn::MulAdd(hn::Mul(hn::Mul(x, s), hn::Sub(one, s)), inner, s);
  }
};
struct SiluSlope {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V) const {
    const V s = logistic(d, x);
    return hn::MulAdd(hn::Mul(s, x), hn::Sub(hn::Set(d, 1.0f), s), s);
  }
};
struct SigmoidOfResult {
  template <class D, class V>
  HWY_INLINE V operator()(D, V y, V) const {
    return hn::NegMulAdd(y, y, y);
  }
};
struct TanhOfResult {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V y, V) const {
    return hn::NegMulAdd(y, y, hn::Set(d, 1.0f));
  }
};
struct SoftplusSlope {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V) const {
    return logistic(d, x);
  }
};
/// With e = exp(x), n = e·(e + 2): t = n/(n + 2), and 1 − t² = 4·(n + 1)/(n + 2)².
struct MishSlope {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V) const {
    const V two = hn::Set(d, 2.0f), one = hn::Set(d, 1.0f);
    const V e = exponential(d, at_most(d, x, 20.0f));
    const V n = hn::Mul(e, hn::Add(e, two));
    const V inverse = hn::Div(one, hn::Add(n, two));
    const V rest = hn::Mul(hn::Mul(hn::Set(d, 4.0f), hn::Mul(hn::Add(n, one), inverse)), inverse);
    return hn::MulAdd(hn::Mul(x, rest), logistic(d, x), hn::Mul(n, inverse));
  }
};
struct HardSwishSlope {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V) const {
    const V between = hn::MulAdd(x, hn::Set(d, 1.0f / 3), hn::Set(d, 0.5f));
    const V below_3 = hn::IfThenElse(hn::Lt(x, hn::Set(d, 3.0f)), between, hn::Set(d, 1.0f));
    return hn::IfThenZeroElse(hn::Le(x, hn::Set(d, -3.0f)), below_3);
  }
};

template <class Slope>
HWY_INLINE void gradient_run(const Slope& derivative, const GradientRun& run) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  for (std::int64_t pixel = 0; pixel < run.pixels; ++pixel) {
    const float* seen = run.seen + pixel * run.seen_stride;
    const float* dy = run.dy + pixel * run.dy_stride;
    float* y = run.y + pixel * run.y_stride;
    std::int64_t c = 0;
    for (; c + lanes <= run.channels; c += lanes) {
      const auto a = run.shared_slope ? hn::Set(d, *run.slope) : hn::LoadU(d, run.slope + c);
      hn::StoreU(hn::Mul(hn::LoadU(d, dy + c), derivative(d, hn::LoadU(d, seen + c), a)), d, y + c);
    }
    if (const std::int64_t rest = run.channels - c; rest > 0) {
      const auto a =
          run.shared_slope ? hn::Set(d, *run.slope) : load_partial(d, run.slope + c, rest);
      const auto value = derivative(d, load_partial(d, seen + c, rest), a);
      store_partial(hn::Mul(load_partial(d, dy + c, rest), value), d, y + c, rest);
    }
  }
}

void activation_gradient_run(const Activation& activation, const GradientRun& run) {
  constexpr float kInfinity = HUGE_VALF;
  switch (activation.kind) {
    case ActivationKind::kNone:
      return gradient_run(Constant{}, run);
    case ActivationKind::kRelu:
      return gradient_run(Step{0, kInfinity, 1}, run);
    case ActivationKind::kRelu6:
      return gradient_run(Step{0, 6, 1}, run);
    case ActivationKind::kLeakyRelu:
    case ActivationKind::kPrelu:
      return gradient_run(SlopedStep{}, run);
    case ActivationKind::kElu:
      if (reads_result(activation)) return gradient_run(EluOfResult{}, run);
      return gradient_run(EluOfInput{}, run);
    case ActivationKind::kGelu:
      return gradient_run(GeluSlope{}, run);
    case ActivationKind::kGeluTanh:
      return gradient_run(GeluTanhSlope{}, run);
    case ActivationKind::kSilu:
      return gradient_run(SiluSlope{}, run);
    case ActivationKind::kSigmoid:
      return gradient_run(SigmoidOfResult{}, run);
    case ActivationKind::kTanh:
      return gradient_run(TanhOfResult{}, run);
    case ActivationKind::kSoftplus:
      return gradient_run(SoftplusSlope{}, run);
    case ActivationKind::kMish:
      return gradient_run(MishSlope{}, run);
    case ActivationKind::kHardSigmoid:
      return gradient_run(Step{0, 1, 1.0f / 6}, run);
    case ActivationKind::kHardSwish:
      return gradient_run(HardSwishSlope{}, run);
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {

HWY_EXPORT(activation_gradient_run);

void activation_gradient_simd(const Activation& activation, View<const float> seen,
                              View<const float> dy, View<const float> slope, View<float> y) {
  const std::int64_t C = y.shape.c;
  const float* slopes = slope ? slope.data : &activation.parameter;
  const bool shared = !slope || slope.shape.c == 1;
  const bool flat = shared && seen.w_stride == C && dy.w_stride == C && y.w_stride == C;
  for_each_run(y.shape, [&](const Run& run) {
    HWY_DYNAMIC_DISPATCH(activation_gradient_run)
    (activation, {seen.pixel(run.n, run.h, run.w), seen.w_stride, dy.pixel(run.n, run.h, run.w),
                  dy.w_stride, y.pixel(run.n, run.h, run.w), y.w_stride, flat ? 1 : run.count,
                  flat ? run.count * C : C, slopes, shared});
  });
}

}  // namespace mend
#endif
