// Normalizations over the channels of each pixel. Memory sets the pace: a pixel is read once from
// there and stays in L1 for the second and third look at it. The chain sum -> mean -> squares ->
// root of one pixel takes 100 cycles, but processors overlap it with the next pixels' chains.
//
// Sums of squares are taken of x − mean, with the mean's own rounding taken out afterwards:
// E[x²] − E[x]² has lost all digits at mean 1000, deviation 0.1.
#include <cmath>

#include "kernels/normalization/variants.h"
#include "kernels/rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/normalization/cpu_pixels.cpp"
#include "kernels/exp2-inl.h"
#include "kernels/partial-inl.h"

#ifndef MEND_NORMALIZATION_CPU_PIXELS_ONCE
#define MEND_NORMALIZATION_CPU_PIXELS_ONCE
namespace mend {

/// Pixels at one distance from each other.
struct PixelRun {
  const float* x;
  std::int64_t x_stride;
  float* y;
  std::int64_t y_stride;
  int pixels, channels;
};

struct PixelNormParameters {
  PixelMeasure measure;
  float eps;
  const float* gamma;  // or null
  const float* beta;   // or null
};

}  // namespace mend
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

constexpr bool is_deviation(PixelMeasure measure) {
  return measure == PixelMeasure::kDeviation || measure == PixelMeasure::kDeviationOnly;
}

HWY_INLINE float mean_of(const float* x, int C) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  auto sum = hn::Zero(d);
  int c = 0;
  for (; c + lanes <= C; c += lanes) sum = hn::Add(sum, hn::LoadU(d, x + c));
  if (c < C) sum = hn::Add(sum, load_partial(d, x + c, C - c));
  return hn::GetLane(hn::SumOfLanes(d, sum)) / static_cast<float>(C);
}

/// Σ (x − mean) and Σ (x − mean)².
struct Moments {
  float first, second;
};

HWY_INLINE Moments moments_about(float mean, const float* x, int C) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto centre = hn::Set(d, mean);
  auto first = hn::Zero(d), second = hn::Zero(d);
  int c = 0;
  for (; c + lanes <= C; c += lanes) {
    const auto distance = hn::Sub(hn::LoadU(d, x + c), centre);
    first = hn::Add(first, distance);
    second = hn::MulAdd(distance, distance, second);
  }
  if (c < C) {
    const auto there = hn::FirstN(d, static_cast<std::size_t>(C - c));
    const auto distance = hn::IfThenElseZero(there, hn::Sub(load_partial(d, x + c, C - c), centre));
    first = hn::Add(first, distance);
    second = hn::MulAdd(distance, distance, second);
  }
  return {hn::GetLane(hn::SumOfLanes(d, first)), hn::GetLane(hn::SumOfLanes(d, second))};
}

/// y = ((x − offset) − correction) · factor · gamma + beta
struct Normalization {
  float offset = 0, correction = 0, factor = 1;
};

template <PixelMeasure kMeasure>
HWY_INLINE Normalization measure_pixel(const float* x, int C, float eps) {
  const float mean = is_deviation(kMeasure) ? mean_of(x, C) : 0.0f;
  const Moments moments = moments_about(mean, x, C);
  const float count = static_cast<float>(C);
  if (kMeasure == PixelMeasure::kLength) {
    const float length = std::sqrt(moments.second);
    return {0, 0, 1 / (length < eps ? eps : length)};
  }
  if (kMeasure == PixelMeasure::kRootMeanSquare) {
    return {0, 0, 1 / std::sqrt(moments.second / count + eps)};
  }
  const float correction = moments.first / count;  // the rounding of the mean
  const float variance = moments.second / count - correction * correction;
  const float factor = 1 / std::sqrt((variance < 0 ? 0 : variance) + eps);  // a NaN stays
  if (kMeasure == PixelMeasure::kDeviationOnly) return {0, 0, factor};
  return {mean, correction, factor};
}

template <bool kGamma, bool kBeta>
HWY_INLINE void write_pixel(const float* x, float* y, int C, const Normalization& by,
                            const float* gamma, const float* beta) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto offset = hn::Set(d, by.offset), correction = hn::Set(d, by.correction);
  const auto factor = hn::Set(d, by.factor);
  int c = 0;
  for (; c + lanes <= C; c += lanes) {
    auto value = hn::Mul(hn::Sub(hn::Sub(hn::LoadU(d, x + c), offset), correction), factor);
    if (kGamma) value = hn::Mul(value, hn::LoadU(d, gamma + c));
    if (kBeta) value = hn::Add(value, hn::LoadU(d, beta + c));
    hn::StoreU(value, d, y + c);
  }
  if (c == C) return;
  const int rest = C - c;
  auto value = hn::Mul(hn::Sub(hn::Sub(load_partial(d, x + c, rest), offset), correction), factor);
  if (kGamma) value = hn::Mul(value, load_partial(d, gamma + c, rest));
  if (kBeta) value = hn::Add(value, load_partial(d, beta + c, rest));
  store_partial(value, d, y + c, rest);
}

template <PixelMeasure kMeasure, bool kGamma, bool kBeta>
void normalize_pixels_by(const PixelNormParameters& norm, const PixelRun& run) {
  for (int pixel = 0; pixel < run.pixels; ++pixel) {
    const float* x = run.x + pixel * run.x_stride;
    float* y = run.y + pixel * run.y_stride;
    const Normalization by = measure_pixel<kMeasure>(x, run.channels, norm.eps);
    write_pixel<kGamma, kBeta>(x, y, run.channels, by, norm.gamma, norm.beta);
  }
}

template <PixelMeasure kMeasure>
void normalize_pixels(const PixelNormParameters& norm, const PixelRun& run) {
  const bool gamma = norm.gamma != nullptr, beta = norm.beta != nullptr;
  if (gamma && beta) return normalize_pixels_by<kMeasure, true, true>(norm, run);
  if (gamma) return normalize_pixels_by<kMeasure, true, false>(norm, run);
  if (beta) return normalize_pixels_by<kMeasure, false, true>(norm, run);
  return normalize_pixels_by<kMeasure, false, false>(norm, run);
}

void normalize_run(const PixelNormParameters& norm, const PixelRun& run) {
  switch (norm.measure) {
    case PixelMeasure::kDeviation:
      return normalize_pixels<PixelMeasure::kDeviation>(norm, run);
    case PixelMeasure::kDeviationOnly:
      return normalize_pixels<PixelMeasure::kDeviationOnly>(norm, run);
    case PixelMeasure::kRootMeanSquare:
      return normalize_pixels<PixelMeasure::kRootMeanSquare>(norm, run);
    case PixelMeasure::kLength:
      return normalize_pixels<PixelMeasure::kLength>(norm, run);
  }
}

HWY_INLINE float largest_of(const float* x, int C) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  auto largest = hn::Set(d, -HUGE_VALF);
  int c = 0;
  for (; c + lanes <= C; c += lanes) largest = hn::Max(largest, hn::LoadU(d, x + c));
  if (c < C) {
    const auto there = hn::FirstN(d, static_cast<std::size_t>(C - c));
    const auto rest = hn::IfThenElse(there, load_partial(d, x + c, C - c), largest);
    largest = hn::Max(largest, rest);
  }
  return hn::GetLane(hn::MaxOfLanes(d, largest));
}

/// y = exp(x − largest); returns their sum.
HWY_INLINE float write_exponentials(const float* x, float largest, float* y, int C) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto top = hn::Set(d, largest), log2e = hn::Set(d, kLog2E);
  auto sum = hn::Zero(d);
  int c = 0;
  for (; c + lanes <= C; c += lanes) {
    const auto t = hn::Mul(hn::Sub(hn::LoadU(d, x + c), top), log2e);
    const auto power = exp2_of_negative(d, t);
    hn::StoreU(power, d, y + c);
    sum = hn::Add(sum, power);
  }
  if (c < C) {
    const auto there = hn::FirstN(d, static_cast<std::size_t>(C - c));
    const auto t = hn::Mul(hn::Sub(load_partial(d, x + c, C - c), top), log2e);
    const auto power = hn::IfThenElseZero(there, exp2_of_negative(d, t));
    store_partial(power, d, y + c, C - c);
    sum = hn::Add(sum, power);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

void softmax_run(const PixelRun& run) {
  for (int pixel = 0; pixel < run.pixels; ++pixel) {
    const float* x = run.x + pixel * run.x_stride;
    float* y = run.y + pixel * run.y_stride;
    const float sum = write_exponentials(x, largest_of(x, run.channels), y, run.channels);
    write_pixel<false, false>(y, y, run.channels, {0, 0, 1 / sum}, nullptr, nullptr);
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {

HWY_EXPORT(normalize_run);
HWY_EXPORT(softmax_run);

namespace {

PixelRun pixels_of(View<const float> x, View<float> y, const Run& run) {
  return {x.pixel(run.n, run.h, run.w),
          x.w_stride,
          y.pixel(run.n, run.h, run.w),
          y.w_stride,
          run.count,
          x.shape.c};
}

}  // namespace

void pixel_norm_simd(PixelMeasure measure, float eps, View<const float> x, View<const float> gamma,
                     View<const float> beta, View<float> y) {
  const PixelNormParameters norm{measure, eps, gamma.data, beta.data};
  for_each_run(x.shape, [&](const Run& run) {
    HWY_DYNAMIC_DISPATCH(normalize_run)(norm, pixels_of(x, y, run));
  });
}

void softmax_simd(View<const float> x, View<float> y) {
  for_each_run(x.shape, [&](const Run& run) {
    HWY_DYNAMIC_DISPATCH(softmax_run)(pixels_of(x, y, run));
  });
}

}  // namespace mend
#endif
