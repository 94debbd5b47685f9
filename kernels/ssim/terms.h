// SSIM of one window, of its moments; device code includes this.
#pragma once

#ifdef __CUDACC__
#define MEND_ON_BOTH __host__ __device__
#else
#define MEND_ON_BOTH
#endif

namespace mend {

/// Weighted means over a window of x, y, x², y² and x·y.
enum SsimMoment { kMeanX, kMeanY, kMeanXX, kMeanYY, kMeanXY, kSsimMoments };

/// And its derivatives by E[x], E[x²] and E[x·y].
struct SsimTerms {
  double ssim, by_x, by_xx, by_xy;
};

MEND_ON_BOTH inline SsimTerms ssim_terms(const double (&moments)[kSsimMoments]) {
  constexpr double kC1 = 0.01 * 0.01, kC2 = 0.03 * 0.03;
  const double m = moments[kMeanX], u = moments[kMeanY];
  const double a1 = 2 * m * u + kC1, a2 = 2 * (moments[kMeanXY] - m * u) + kC2;
  const double b1 = m * m + u * u + kC1;
  const double b2 = moments[kMeanXX] - m * m + moments[kMeanYY] - u * u + kC2;
  const double ssim = a1 * a2 / (b1 * b2);
  return {ssim, 2 * u * (a2 - a1) / (b1 * b2) + 2 * m * ssim * (1 / b2 - 1 / b1), -ssim / b2,
          2 * a1 / (b1 * b2)};
}

}  // namespace mend

#undef MEND_ON_BOTH
