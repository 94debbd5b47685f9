// Every activation as a function of vectors, to be used inside kernels: the SIMD activation itself
// and the epilogues of convolutions. Included once for every instruction set; see kernels/simd.h.
//
// Errors against the double formula, over all finite x (measured by tests/kernels/activation_test):
// at most 1e-6 of max(|y|, |x|·2^-3, 1e-3), for GELU of max(|y|, |x|/2, 1e-3); NaN stays NaN. The polynomials are minimax fits (Remez)
// to the functions named beside them, made for this file.
#include "kernels/activation/activation.h"
#include "kernels/simd.h"

#if defined(MEND_KERNELS_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_ACTIVATION_INL_H_
#undef MEND_KERNELS_ACTIVATION_INL_H_
#else
#define MEND_KERNELS_ACTIVATION_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Where x is a NaN, Min and Max return one operand or the other, as the instruction set pleases;
// these keep the NaN.

template <class D, class V>
HWY_INLINE V at_least(D d, V x, float low) {
  const V bound = hn::Set(d, low);
  return hn::IfThenElse(hn::Lt(x, bound), bound, x);
}
template <class D, class V>
HWY_INLINE V at_most(D d, V x, float high) {
  const V bound = hn::Set(d, high);
  return hn::IfThenElse(hn::Gt(x, bound), bound, x);
}

/// c[0] + c[1]·x + c[2]·x² + ...
template <class D, class V, std::size_t kCount>
HWY_INLINE V polynomial(D d, V x, const float (&c)[kCount]) {
  V sum = hn::Set(d, c[kCount - 1]);
  for (std::size_t i = kCount - 1; i-- > 0;) sum = hn::MulAdd(sum, x, hn::Set(d, c[i]));
  return sum;
}

/// exp(x) = two_to_n·(1 + fraction), with |fraction| <= 0.42. x saturates at ±87: 1e-38, 2e38.
template <class V>
struct ExpParts {
  V two_to_n, fraction;
};
template <class D, class V>
HWY_INLINE ExpParts<V> split_exp(D d, V x) {
  const hn::RebindToSigned<D> di;
  x = at_most(d, at_least(d, x, -87.33f), 88.02f);
  const V n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504f)));
  // ln 2 in two parts, so that n·ln 2 loses nothing.
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r);
  // (exp(r) - 1 - r)/r² on |r| <= ln(2)/2, error of exp(r) 3e-9.
  constexpr float kCoefficients[] = {0.50000001f, 0.166665183f, 0.0416662041f, 0.00836895351f,
                                     0.00139506021f};
  const V fraction = hn::MulAdd(hn::Mul(r, r), polynomial(d, r, kCoefficients), r);
  const auto exponent = hn::Add(hn::ConvertTo(di, n), hn::Set(di, 127));
  return {hn::BitCast(d, hn::ShiftLeft<23>(exponent)), fraction};
}

/// exp(x).
template <class D, class V>
HWY_INLINE V exponential(D d, V x) {
  const ExpParts<V> parts = split_exp(d, x);
  return hn::MulAdd(parts.two_to_n, parts.fraction, parts.two_to_n);
}

/// exp(x) - 1, without cancellation near 0.
template <class D, class V>
HWY_INLINE V exponential_minus_1(D d, V x) {
  const ExpParts<V> parts = split_exp(d, x);
  return hn::MulAdd(parts.two_to_n, parts.fraction, hn::Sub(parts.two_to_n, hn::Set(d, 1.0f)));
}

/// log(1 + u) for u in [0,1]: 2·atanh(s) with s = u/(2 + u) <= 1/3. The fit's error is 5e-9 of s.
template <class D, class V>
HWY_INLINE V log_1_plus(D d, V u) {
  const V s = hn::Div(u, hn::Add(hn::Set(d, 2.0f), u));
  const V z = hn::Mul(s, s);
  constexpr float kCoefficients[] = {0.33333206f, 0.20010885f, 0.139989319f, 0.140156367f};
  const V twice = hn::Add(s, s);
  return hn::MulAdd(hn::Mul(twice, z), polynomial(d, z, kCoefficients), twice);
}

/// tanh(x), without cancellation near 0.
template <class D, class V>
HWY_INLINE V hyperbolic_tangent(D d, V x) {
  const V a = at_most(d, hn::Abs(x), 10.0f);
  const V e = exponential_minus_1(d, hn::Add(a, a));
  return hn::CopySign(hn::Div(e, hn::Add(e, hn::Set(d, 2.0f))), x);
}

/// erf(x/√2) for |x| <= kErfEnd, where it is 1 − 2e-8; its value there for x further out, anything
/// for a NaN. Odd, so x·P(x²)/Q(x²); all terms have one sign, so the sums lose nothing. The fit's error
/// is 1.9e-8. Two short sums side by side and a division: half the work of the tail erfc, which needs
/// an exponential besides and is accurate relative to itself, far below what x/2 leaves of it.
constexpr float kErfEnd = 5.6f;
template <class D, class V>
HWY_INLINE V erf_of_root_half(D d, V x) {
  x = hn::Max(hn::Min(x, hn::Set(d, kErfEnd)), hn::Set(d, -kErfEnd));
  const V z = hn::Mul(x, x);
  constexpr float kP[] = {0.797884464f,    0.0687521026f,   0.00941450521f,
                          0.000347699155f, 1.27129397e-05f, 4.42901040e-08f};
  constexpr float kQ[] = {1.0f,           0.252833694f,    0.0289400481f,
                          0.00191297242f, 7.51012485e-05f, 1.18019955e-06f};
  return hn::Div(hn::Mul(x, polynomial(d, z, kP)), polynomial(d, z, kQ));
}

template <class D, class V>
HWY_INLINE V logistic(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, exponential(d, hn::Neg(x))));
}

// One functor a kind: y = f(d, x, slope). `slope` is the PReLU slope of each lane's channel, or the
// activation's parameter in every lane.

struct Identity {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V) const {
    return x;
  }
};
struct Relu {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V) const {
    return at_least(d, x, 0.0f);
  }
};
struct Relu6 {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V) const {
    return at_most(d, at_least(d, x, 0.0f), 6.0f);
  }
};
/// Leaky ReLU and PReLU.
struct SlopedRelu {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V slope) const {
    return hn::IfThenElse(hn::Ge(x, hn::Zero(d)), x, hn::Mul(x, slope));
  }
};
struct Elu {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V alpha) const {
    const V below = hn::Mul(alpha, exponential_minus_1(d, at_most(d, x, 0.0f)));
    return hn::IfThenElse(hn::Ge(x, hn::Zero(d)), x, below);
  }
};
struct Gelu {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V) const {
    const V half = hn::Mul(x, hn::Set(d, 0.5f));
    const V y = hn::MulAdd(half, erf_of_root_half(d, x), half);
    return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -kErfEnd)), y);  // a NaN stays
  }
};
/// x/2·(1 + tanh(u)) = x·sigmoid(2·u), which does not cancel for negative u.
struct GeluTanh {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V) const {
    constexpr float kTwiceSqrtTwoOverPi = 1.59576912f;
    const V cubic = hn::MulAdd(hn::Mul(hn::Set(d, 0.044715f), hn::Mul(x, x)), x, x);
    return hn::Mul(x, logistic(d, hn::Mul(hn::Set(d, kTwiceSqrtTwoOverPi), cubic)));
  }
};
struct Silu {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V) const {
    return hn::Mul(x, logistic(d, x));
  }
};
struct Sigmoid {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V) const {
    return logistic(d, x);
  }
};
struct Tanh {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V) const {
    return hyperbolic_tangent(d, x);
  }
};
struct Softplus {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V) const {
    const V above = log_1_plus(d, exponential(d, hn::Neg(hn::Abs(x))));
    return hn::Add(at_least(d, x, 0.0f), above);
  }
};
/// With e = exp(x): tanh(log(1 + e)) = n/(n + 2), n = e·(e + 2). From x = 20 on it is 1 in f32.
struct Mish {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V) const {
    const V two = hn::Set(d, 2.0f);
    const V e = exponential(d, at_most(d, x, 20.0f));
    const V n = hn::Mul(e, hn::Add(e, two));
    return hn::Mul(x, hn::Div(n, hn::Add(n, two)));
  }
};
struct HardSigmoid {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V slope) const {
    return hn::Mul(Relu6{}(d, hn::Add(x, hn::Set(d, 3.0f)), slope), hn::Set(d, 1.0f / 6));
  }
};
struct HardSwish {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V slope) const {
    return hn::Mul(x, HardSigmoid{}(d, x, slope));
  }
};

/// Calls job(functor of `kind`), so that the branch on the kind stays outside the job's loops.
template <class Job>
HWY_INLINE void with_activation(ActivationKind kind, const Job& job) {
  switch (kind) {
    case ActivationKind::kNone:
      return job(Identity{});
    case ActivationKind::kRelu:
      return job(Relu{});
    case ActivationKind::kRelu6:
      return job(Relu6{});
    case ActivationKind::kLeakyRelu:
    case ActivationKind::kPrelu:
      return job(SlopedRelu{});
    case ActivationKind::kElu:
      return job(Elu{});
    case ActivationKind::kGelu:
      return job(Gelu{});
    case ActivationKind::kGeluTanh:
      return job(GeluTanh{});
    case ActivationKind::kSilu:
      return job(Silu{});
    case ActivationKind::kSigmoid:
      return job(Sigmoid{});
    case ActivationKind::kTanh:
      return job(Tanh{});
    case ActivationKind::kSoftplus:
      return job(Softplus{});
    case ActivationKind::kMish:
      return job(Mish{});
    case ActivationKind::kHardSigmoid:
      return job(HardSigmoid{});
    case ActivationKind::kHardSwish:
      return job(HardSwish{});
  }
}

}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
