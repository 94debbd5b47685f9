// Normalizations over the channels of each pixel. Memory should set the pace: a pixel is read once
// from there and stays in L1 for the second and third look at it. What stands against it is the chain
// sum -> mean -> squares -> root of each pixel, 100 cycles of waiting for 20 of work at 32 channels.
// So kChunk pixels take each step together, and roots and divisions are done on vectors of pixels.
//
// Sums of squares are taken of x − mean, with the mean's own rounding taken out afterwards:
// E[x²] − E[x]² has lost all digits at mean 1000, deviation 0.1.
#include <algorithm>
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

/// Pixels that are measured together; a multiple of every vector length.
constexpr int kChunk = 16;

HWY_INLINE float sum_of(const float* x, int C) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  auto sum = hn::Zero(d);
  int c = 0;
  for (; c + lanes <= C; c += lanes) sum = hn::Add(sum, hn::LoadU(d, x + c));
  if (c < C) sum = hn::Add(sum, load_partial(d, x + c, C - c));
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

/// Σ (x − centre) and Σ (x − centre)².
struct Moments {
  float first, second;
};

HWY_INLINE Moments moments_about(float centre, const float* x, int C) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto middle = hn::Set(d, centre);
  auto first = hn::Zero(d), second = hn::Zero(d);
  int c = 0;
  for (; c + lanes <= C; c += lanes) {
    const auto distance = hn::Sub(hn::LoadU(d, x + c), middle);
    first = hn::Add(first, distance);
    second = hn::MulAdd(distance, distance, second);
  }
  if (c < C) {
    const auto there = hn::FirstN(d, static_cast<std::size_t>(C - c));
    const auto distance = hn::IfThenElseZero(there, hn::Sub(load_partial(d, x + c, C - c), middle));
    first = hn::Add(first, distance);
    second = hn::MulAdd(distance, distance, second);
  }
  return {hn::GetLane(hn::SumOfLanes(d, first)), hn::GetLane(hn::SumOfLanes(d, second))};
}

/// What is done to a chunk's pixels: y = ((x − offset) − correction) · factor · gamma + beta
struct ChunkNormalization {
  HWY_ALIGN float offset[kChunk] = {};
  HWY_ALIGN float correction[kChunk] = {};
  HWY_ALIGN float factor[kChunk] = {};
};

/// From Σ (x − centre), Σ (x − centre)² and the centre of each pixel.
template <PixelMeasure kMeasure>
HWY_INLINE void derive(const float* centre, const float* first, const float* second, int C,
                       float eps, ChunkNormalization& by) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto one = hn::Set(d, 1.0f), tiny = hn::Set(d, eps);
  const auto count = hn::Set(d, static_cast<float>(C));
  for (int p = 0; p < kChunk; p += lanes) {
    const auto squares = hn::Load(d, second + p);
    if (kMeasure == PixelMeasure::kLength) {
      const auto length = hn::Sqrt(squares);
      const auto divisor = hn::IfThenElse(hn::Lt(length, tiny), tiny, length);  // a NaN stays
      hn::Store(hn::Div(one, divisor), d, by.factor + p);
      continue;
    }
    if (kMeasure == PixelMeasure::kRootMeanSquare) {
      hn::Store(hn::Div(one, hn::Sqrt(hn::Add(hn::Div(squares, count), tiny))), d, by.factor + p);
      continue;
    }
    const auto correction = hn::Div(hn::Load(d, first + p), count);  // the rounding of the mean
    auto variance = hn::NegMulAdd(correction, correction, hn::Div(squares, count));
    variance = hn::IfThenZeroElse(hn::Lt(variance, hn::Zero(d)), variance);  // a NaN stays
    hn::Store(hn::Div(one, hn::Sqrt(hn::Add(variance, tiny))), d, by.factor + p);
    if (kMeasure == PixelMeasure::kDeviationOnly) continue;
    hn::Store(hn::Load(d, centre + p), d, by.offset + p);
    hn::Store(correction, d, by.correction + p);
  }
}

template <PixelMeasure kMeasure>
HWY_INLINE void measure_chunk(const float* x, std::int64_t stride, int pixels, int C, float eps,
                              ChunkNormalization& by) {
  HWY_ALIGN float centre[kChunk] = {}, first[kChunk] = {}, second[kChunk] = {};
  if (is_deviation(kMeasure)) {
    const float per_channel = 1.0f / static_cast<float>(C);
    for (int p = 0; p < pixels; ++p) centre[p] = sum_of(x + p * stride, C) * per_channel;
  }
  for (int p = 0; p < pixels; ++p) {
    const Moments moments = moments_about(centre[p], x + p * stride, C);
    first[p] = moments.first;
    second[p] = moments.second;
  }
  derive<kMeasure>(centre, first, second, C, eps, by);
}

/// One pixel's part of a ChunkNormalization.
struct Normalization {
  float offset, correction, factor;
};

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
  ChunkNormalization by;
  for (int done = 0; done < run.pixels; done += kChunk) {
    const int pixels = std::min(kChunk, run.pixels - done);
    const float* x = run.x + done * run.x_stride;
    float* y = run.y + done * run.y_stride;
    measure_chunk<kMeasure>(x, run.x_stride, pixels, run.channels, norm.eps, by);
    for (int p = 0; p < pixels; ++p) {
      write_pixel<kGamma, kBeta>(x + p * run.x_stride, y + p * run.y_stride, run.channels,
                                 {by.offset[p], by.correction[p], by.factor[p]}, norm.gamma,
                                 norm.beta);
    }
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

void pixel_norm_simd_on_thread(PixelMeasure measure, float eps, View<const float> x,
                               View<const float> gamma, View<const float> beta, View<float> y) {
  const PixelNormParameters norm{measure, eps, gamma.data, beta.data};
  HWY_DYNAMIC_DISPATCH(normalize_run)(norm, pixels_of(x, y, {0, 0, 0, x.shape.w}));
}

void softmax_simd(View<const float> x, View<float> y) {
  for_each_run(x.shape, [&](const Run& run) {
    HWY_DYNAMIC_DISPATCH(softmax_run)(pixels_of(x, y, run));
  });
}

}  // namespace mend
#endif
