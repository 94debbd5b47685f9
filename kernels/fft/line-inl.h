// The one-dimensional transform of a bundle of lines. Included once for every instruction set.
//
// Stockham's mixed-radix transform: with the length cut into radix · blocks, stage after stage,
//
//   y[q + stride·(radix·p + j)] = w^(p·j) · Σ_i x[q + stride·(p + blocks·i)] · exp(−2πi·i·j/radix)
//   w = exp(−2πi/(radix·blocks)),   p < blocks, q < stride
//
// reads one buffer and writes the other, in order, and needs no bit reversal. Every element is a
// vector of lanes, so twiddles are broadcasts and no radix needs shuffles. About 5 FLOPs and 16
// bytes of L1 or L2 traffic an element and radix-4 stage: memory, not arithmetic, is the limit,
// hence radix 4 before 2.
#include "kernels/fft/bundles.h"
#include "kernels/simd.h"

#if defined(MEND_KERNELS_FFT_LINE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_FFT_LINE_INL_H_
#undef MEND_KERNELS_FFT_LINE_INL_H_
#else
#define MEND_KERNELS_FFT_LINE_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using Lanes = hn::CappedTag<float, kBundle>;
using Vector = hn::Vec<Lanes>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(Lanes()));

struct ComplexVector {
  Vector re, im;
};

HWY_INLINE ComplexVector load(const float* element) {
  const Lanes d;
  return {hn::LoadU(d, element), hn::LoadU(d, element + kBundle)};
}
HWY_INLINE void store(const ComplexVector& x, float* element) {
  const Lanes d;
  hn::StoreU(x.re, d, element);
  hn::StoreU(x.im, d, element + kBundle);
}
HWY_INLINE ComplexVector add(const ComplexVector& a, const ComplexVector& b) {
  return {hn::Add(a.re, b.re), hn::Add(a.im, b.im)};
}
HWY_INLINE ComplexVector subtract(const ComplexVector& a, const ComplexVector& b) {
  return {hn::Sub(a.re, b.re), hn::Sub(a.im, b.im)};
}
/// −i·a
HWY_INLINE ComplexVector quarter_turn(const ComplexVector& a) { return {a.im, hn::Neg(a.re)}; }
HWY_INLINE ComplexVector multiply(const ComplexVector& a, const Root& root) {
  const Lanes d;
  const Vector re = hn::Set(d, root.re), im = hn::Set(d, root.im);
  return {hn::NegMulAdd(a.im, im, hn::Mul(a.re, re)), hn::MulAdd(a.im, re, hn::Mul(a.re, im))};
}

/// What one butterfly reads and writes: inputs `from_step` floats apart, outputs `to_step`.
struct Butterfly {
  const float* from;
  float* to;
  std::int64_t from_step, to_step;
  const Root* twiddles;  // [radix − 1]

  HWY_INLINE ComplexVector input(int i) const { return load(from + i * from_step); }
  HWY_INLINE void output(int j, const ComplexVector& value) const {
    store(j == 0 ? value : multiply(value, twiddles[j - 1]), to + j * to_step);
  }
};

struct Radix2 {
  HWY_INLINE void operator()(const Butterfly& at) const {
    const ComplexVector a = at.input(0), b = at.input(1);
    at.output(0, add(a, b));
    at.output(1, subtract(a, b));
  }
};

struct Radix4 {
  HWY_INLINE void operator()(const Butterfly& at) const {
    const ComplexVector a = at.input(0), b = at.input(1), c = at.input(2), d = at.input(3);
    const ComplexVector even = add(a, c), odd = add(b, d);
    const ComplexVector even_difference = subtract(a, c);
    const ComplexVector odd_difference = quarter_turn(subtract(b, d));
    at.output(0, add(even, odd));
    at.output(1, add(even_difference, odd_difference));
    at.output(2, subtract(even, odd));
    at.output(3, subtract(even_difference, odd_difference));
  }
};

/// Any odd radix r, by the symmetry of its roots: with s_i = x_i + x_{r−i}, d_i = x_i − x_{r−i},
///   X_j, X_{r−j} = (x_0 + Σ_i cos(2π·i·j/r)·s_i) ∓ i·(Σ_i sin(2π·i·j/r)·d_i),   i, j <= (r − 1)/2
/// kRadix > 0: known when compiling, so that the vectors stay in registers.
template <int kRadix>
struct OddRadix {
  const Root* roots;  // [radix]: cos − i·sin
  int any_radix;

  HWY_INLINE void operator()(const Butterfly& at) const {
    constexpr int kMaxHalf = kRadix > 0 ? kRadix / 2 : kLargestRadix / 2;
    const int radix = kRadix > 0 ? kRadix : any_radix;
    const int half = radix / 2;
    const Lanes d;
    const ComplexVector first = at.input(0);
    ComplexVector sums[kMaxHalf], differences[kMaxHalf];
    ComplexVector total = first;
    for (int i = 0; i < half; ++i) {
      const ComplexVector a = at.input(i + 1), b = at.input(radix - 1 - i);
      sums[i] = add(a, b);
      differences[i] = subtract(a, b);
      total = add(total, sums[i]);
    }
    at.output(0, total);
    for (int j = 1; j <= half; ++j) {
      ComplexVector even = first;
      ComplexVector odd{hn::Zero(d), hn::Zero(d)};
      for (int i = 0, root = j; i < half; ++i, root += j) {
        if (root >= radix) root -= radix;  // i·j mod radix
        const Vector re = hn::Set(d, roots[root].re), im = hn::Set(d, roots[root].im);
        even = {hn::MulAdd(re, sums[i].re, even.re), hn::MulAdd(re, sums[i].im, even.im)};
        odd = {hn::MulAdd(im, differences[i].re, odd.re),
               hn::MulAdd(im, differences[i].im, odd.im)};
      }
      // i·odd, for the roots' imaginary part is −sin.
      const ComplexVector turned{hn::Neg(odd.im), odd.re};
      at.output(j, add(even, turned));
      at.output(radix - j, subtract(even, turned));
    }
  }
};

template <class Radix>
HWY_INLINE void run_stage(const FftStage& stage, const Radix& radix, const float* from, float* to) {
  const std::int64_t stride = stage.stride, blocks = stage.blocks;
  for (std::int64_t p = 0; p < blocks; ++p) {
    const Root* twiddles = stage.twiddles.data() + p * (stage.radix - 1);
    const float* x = from + p * stride * kElement;
    float* y = to + p * stage.radix * stride * kElement;
    for (std::int64_t q = 0; q < stride; ++q, x += kElement, y += kElement) {
      for (int lane = 0; lane < kBundle; lane += kLanes) {
        radix(
            Butterfly{x + lane, y + lane, stride * blocks * kElement, stride * kElement, twiddles});
      }
    }
  }
}

void run_stage(const FftStage& stage, const float* from, float* to) {
  const Root* roots = stage.roots.data();
  switch (stage.radix) {
    case 2:
      return run_stage(stage, Radix2{}, from, to);
    case 3:
      return run_stage(stage, OddRadix<3>{roots, 3}, from, to);
    case 4:
      return run_stage(stage, Radix4{}, from, to);
    case 5:
      return run_stage(stage, OddRadix<5>{roots, 5}, from, to);
    case 7:
      return run_stage(stage, OddRadix<7>{roots, 7}, from, to);
    default:
      return run_stage(stage, OddRadix<0>{roots, stage.radix}, from, to);
  }
}

/// All stages; the result is in x or y, whichever is returned, and the other is overwritten.
float* run_stages(const FftTables& tables, float* x, float* y) {
  for (const FftStage& stage : tables.stages) {
    run_stage(stage, x, y);
    float* const written = y;
    y = x;
    x = written;
  }
  return x;
}

HWY_INLINE void multiply_element(float* element, const Root& root, bool conjugate) {
  for (int lane = 0; lane < kBundle; lane += kLanes) {
    ComplexVector product = multiply(load(element + lane), root);
    if (conjugate) product.im = hn::Neg(product.im);
    store(product, element + lane);
  }
}

/// Bluestein's transform: a convolution with the chirp. The inverse transform on the way is a
/// forward one of the conjugate.
float* run_chirp(const FftTables& tables, float* x, float* y) {
  const int length = tables.length, longer = tables.convolution->length;
  for (int k = 0; k < length; ++k) {
    multiply_element(x + std::int64_t{k} * kElement, tables.chirp[k], false);
  }
  std::fill(x + std::int64_t{length} * kElement, x + std::int64_t{longer} * kElement, 0.0f);
  float* spectrum = run_stages(*tables.convolution, x, y);
  for (int k = 0; k < longer; ++k) {
    multiply_element(spectrum + std::int64_t{k} * kElement, tables.chirp_spectrum[k], true);
  }
  float* result = run_stages(*tables.convolution, spectrum, spectrum == x ? y : x);
  for (int k = 0; k < length; ++k) {
    float* const element = result + std::int64_t{k} * kElement;
    for (int lane = 0; lane < kBundle; lane += kLanes) {
      ComplexVector value = load(element + lane);
      value.im = hn::Neg(value.im);
      store(multiply(value, tables.chirp[k]), element + lane);
    }
  }
  return result;
}

/// x[k] -> Σ_h x[h]·exp(−2πi·k·h/length) for all lanes of a bundle. x and y hold work_length()
/// elements each; the result is in the returned one.
float* transform_lines(const FftTables& tables, float* x, float* y) {
  return tables.convolution ? run_chirp(tables, x, y) : run_stages(tables, x, y);
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
