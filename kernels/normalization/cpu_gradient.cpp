// The gradients of normalizations over the channels of each pixel. A pixel of x and of dy is read from
// memory once and stays in L1 for the next look at it: its mean, the sums about that mean, the result.
//
// All of it is in double, half as many lanes: what a norm's gradient leaves of dy, after the parts along 1
// and along u are taken away, may be a thousandth of dy (of two channels it is eps / variance of dy), and
// everything further up stands behind it. With f32 sums DAT's gradients were off by 5e-4.
#include <algorithm>
#include <cmath>

#include "kernels/normalization/gradient.h"
#include "kernels/rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/normalization/cpu_gradient.cpp"
#include "kernels/partial-inl.h"

#ifndef MEND_NORMALIZATION_CPU_GRADIENT_ONCE
#define MEND_NORMALIZATION_CPU_GRADIENT_ONCE
namespace mend {

/// Pixels at one distance from each other. x is the softmax where there is no measure.
struct NormGradientRun {
  const float* x;
  std::int64_t x_stride;
  const float* dy;
  std::int64_t dy_stride;
  float* y;
  std::int64_t y_stride;
  int pixels, channels;
  const float* gamma;  // or null
  PixelMeasure measure;
  float eps;
};

}  // namespace mend
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;
using Narrow = hn::Rebind<float, D>;
constexpr int kVector = static_cast<int>(hn::MaxLanes(D()));

/// `count` numbers, and zeros behind them.
HWY_INLINE V load_some(const float* x, int count) {
  const Narrow narrow;
  const auto numbers = count == kVector ? hn::LoadU(narrow, x) : load_partial(narrow, x, count);
  return hn::PromoteTo(D(), numbers);
}
HWY_INLINE void store_some(V v, float* y, int count) {
  const Narrow narrow;
  const auto numbers = hn::DemoteTo(narrow, v);
  if (count == kVector) {
    hn::StoreU(numbers, narrow, y);
  } else {
    store_partial(numbers, narrow, y, count);
  }
}
HWY_INLINE double sum_of_lanes(V v) {
  const D d;
  return hn::GetLane(hn::SumOfLanes(d, v));
}

HWY_INLINE double sum_of(const float* x, int C) {
  V sum = hn::Zero(D());
  for (int c = 0; c < C; c += kVector) {
    sum = hn::Add(sum, load_some(x + c, std::min(kVector, C - c)));
  }
  return sum_of_lanes(sum);
}

/// Over the channels of a pixel: with t = x − mean, Σt², Σg, Σg·t.
struct Sums {
  double squares, g, products;
};

template <bool kGamma>
HWY_INLINE V g_of(const float* dy, const float* gamma, int c, int count) {
  const V g = load_some(dy + c, count);
  return kGamma ? hn::Mul(g, load_some(gamma + c, count)) : g;
}

template <bool kGamma>
HWY_INLINE Sums sums_about(double mean, const float* x, const float* dy, const float* gamma,
                           int C) {
  const D d;
  const V centre = hn::Set(d, mean);
  V squares = hn::Zero(d), sum_g = squares, products = squares;
  for (int c = 0; c < C; c += kVector) {
    const int count = std::min(kVector, C - c);
    V t = hn::Sub(load_some(x + c, count), centre);
    if (count < kVector) t = hn::IfThenElseZero(hn::FirstN(d, static_cast<std::size_t>(count)), t);
    const V g = g_of<kGamma>(dy, gamma, c, count);
    squares = hn::MulAdd(t, t, squares);
    sum_g = hn::Add(sum_g, g);
    products = hn::MulAdd(g, t, products);
  }
  return {sum_of_lanes(squares), sum_of_lanes(sum_g), sum_of_lanes(products)};
}

/// y = (g − offset − (x − mean) · slope) · factor
struct Line {
  double mean = 0, offset = 0, slope = 0, factor = 1;
};

/// The measures' formulas, in terms of the sums.
HWY_INLINE Line line_of(PixelMeasure measure, float eps, double mean, const Sums& sums, int C) {
  Line line{.mean = mean};
  if (measure == PixelMeasure::kLength) {
    const double length = std::sqrt(sums.squares);
    const bool too_short = length < eps;
    line.factor = 1 / (too_short ? eps : length);
    line.slope = too_short ? 0 : sums.products * line.factor * line.factor;
    return line;
  }
  line.factor = 1 / std::sqrt(sums.squares / C + eps);
  double products = sums.products;
  if (measure == PixelMeasure::kDeviation) line.offset = sums.g / C;
  if (measure == PixelMeasure::kDeviationOnly) products += mean * sums.g;  // Σg·x
  line.slope = products / C * line.factor * line.factor;
  return line;
}

template <bool kGamma>
HWY_INLINE void write_line(const Line& line, const float* x, const float* dy, const float* gamma,
                           float* y, int C) {
  const D d;
  const V mean = hn::Set(d, line.mean), offset = hn::Set(d, line.offset);
  const V slope = hn::Set(d, line.slope), factor = hn::Set(d, line.factor);
  for (int c = 0; c < C; c += kVector) {
    const int count = std::min(kVector, C - c);
    const V t = hn::Sub(load_some(x + c, count), mean);
    const V g = hn::Sub(g_of<kGamma>(dy, gamma, c, count), offset);
    store_some(hn::Mul(hn::NegMulAdd(t, slope, g), factor), y + c, count);
  }
}

template <bool kGamma>
void norm_gradient_pixels(const NormGradientRun& run) {
  const int C = run.channels;
  const bool deviation =
      run.measure == PixelMeasure::kDeviation || run.measure == PixelMeasure::kDeviationOnly;
  for (int pixel = 0; pixel < run.pixels; ++pixel) {
    const float* x = run.x + pixel * run.x_stride;
    const float* dy = run.dy + pixel * run.dy_stride;
    const double mean = deviation ? sum_of(x, C) / C : 0;
    const Sums sums = sums_about<kGamma>(mean, x, dy, run.gamma, C);
    const Line line = line_of(run.measure, run.eps, mean, sums, C);
    write_line<kGamma>(line, x, dy, run.gamma, run.y + pixel * run.y_stride, C);
  }
}

void norm_gradient_run(const NormGradientRun& run) {
  if (run.gamma != nullptr) return norm_gradient_pixels<true>(run);
  norm_gradient_pixels<false>(run);
}

void softmax_gradient_run(const NormGradientRun& run) {
  const D d;
  const int C = run.channels;
  for (int pixel = 0; pixel < run.pixels; ++pixel) {
    const float* softmax = run.x + pixel * run.x_stride;
    const float* dy = run.dy + pixel * run.dy_stride;
    float* y = run.y + pixel * run.y_stride;
    V products = hn::Zero(d);
    for (int c = 0; c < C; c += kVector) {
      const int count = std::min(kVector, C - c);
      products = hn::MulAdd(load_some(softmax + c, count), load_some(dy + c, count), products);
    }
    const V sum = hn::Set(d, sum_of_lanes(products));
    for (int c = 0; c < C; c += kVector) {
      const int count = std::min(kVector, C - c);
      store_some(hn::Mul(load_some(softmax + c, count), hn::Sub(load_some(dy + c, count), sum)),
                 y + c, count);
    }
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {

HWY_EXPORT(norm_gradient_run);
HWY_EXPORT(softmax_gradient_run);

namespace {

NormGradientRun gradient_run_of(View<const float> x, View<const float> dy, View<float> y,
                                const Run& run) {
  return {x.pixel(run.n, run.h, run.w),
          x.w_stride,
          dy.pixel(run.n, run.h, run.w),
          dy.w_stride,
          y.pixel(run.n, run.h, run.w),
          y.w_stride,
          run.count,
          x.shape.c,
          nullptr,
          PixelMeasure::kDeviation,
          0};
}

}  // namespace

void pixel_norm_gradient_simd(const op::PixelNormGradient& op, View<const float> x,
                              View<const float> dy, View<const float> gamma, View<float> y) {
  for_each_run(x.shape, [&](const Run& run) {
    NormGradientRun pixels = gradient_run_of(x, dy, y, run);
    pixels.gamma = gamma.data;
    pixels.measure = op.measure;
    pixels.eps = op.eps;
    HWY_DYNAMIC_DISPATCH(norm_gradient_run)(pixels);
  });
}

void softmax_gradient_simd(View<const float> softmax, View<const float> dy, View<float> y) {
  for_each_run(softmax.shape, [&](const Run& run) {
    HWY_DYNAMIC_DISPATCH(softmax_gradient_run)(gradient_run_of(softmax, dy, y, run));
  });
}

}  // namespace mend
#endif
