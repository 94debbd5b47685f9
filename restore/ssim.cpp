#include <cmath>
#include <span>
#include <string_view>

#include "restore/similarity.h"

namespace mend {
namespace {

/// Weighted sums over a row of windows: of x, y, x², y², xy. They become moments once they are also
/// summed over the window's rows.
struct Moments {
  Row x, y, xx, yy, xy;

  explicit Moments(std::size_t width) : x(width), y(width), xx(width), yy(width), xy(width) {}

  void sum_along(const Row& test, const Row& reference, std::span<const double> window) {
    for (std::size_t w = 0; w < x.size(); ++w) {
      double sum_x = 0, sum_y = 0, sum_xx = 0, sum_yy = 0, sum_xy = 0;
      for (std::size_t k = 0; k < window.size(); ++k) {
        const double a = test[w + k], b = reference[w + k], weight = window[k];
        sum_x += weight * a;
        sum_y += weight * b;
        sum_xx += weight * a * a;
        sum_yy += weight * b * b;
        sum_xy += weight * a * b;
      }
      x[w] = sum_x;
      y[w] = sum_y;
      xx[w] = sum_xx;
      yy[w] = sum_yy;
      xy[w] = sum_xy;
    }
  }
};

/// Wang et al. (13) and its second factor, with one window's moments.
Similarity similarity_of(double x, double y, double xx, double yy, double xy, double factor) {
  constexpr double kC1 = 0.01 * 255 * 0.01 * 255;
  constexpr double kC2 = 0.03 * 255 * 0.03 * 255;
  const double variances = factor * (xx - x * x + (yy - y * y));
  const double covariance = factor * (xy - x * y);
  const double luminance = (2 * x * y + kC1) / (x * x + y * y + kC1);
  const double contrast_structure = (2 * covariance + kC2) / (variances + kC2);
  return {luminance * contrast_structure, contrast_structure};
}

SimilarityWindow uniform_window() {
  constexpr int kTaps = 7;
  constexpr double kSamples = kTaps * kTaps;
  return {std::vector<double>(kTaps, 1.0 / kTaps), kSamples / (kSamples - 1)};
}

}  // namespace

RowPair rows_of(PlanePair& pair, int plane) {
  return {pair.height(), pair.width(),
          [&pair, plane](int y, Row& row) { pair.test.read(plane, y, row); },
          [&pair, plane](int y, Row& row) { pair.reference.read(plane, y, row); }};
}

SimilarityWindow gaussian_window() {
  constexpr int kTaps = 11;
  constexpr double kDeviation = 1.5;
  SimilarityWindow window{std::vector<double>(kTaps)};
  double sum = 0;
  for (int k = 0; k < kTaps; ++k) {
    const double x = k - kTaps / 2;
    sum += window.taps[k] = std::exp(-x * x / (2 * kDeviation * kDeviation));
  }
  for (double& weight : window.taps) weight /= sum;
  return window;
}

// The window is separable, so each row is summed along once and the last of these sums are kept.
Similarity mean_similarity(const RowPair& pair, const SimilarityWindow& window) {
  const int taps = static_cast<int>(window.taps.size());
  const std::size_t width = static_cast<std::size_t>(pair.width) - taps + 1;
  std::vector<Moments> rows(taps, Moments(width));
  Row test, reference;
  Similarity sum;
  for (int h = 0; h < pair.height; ++h) {
    pair.test(h, test);
    pair.reference(h, reference);
    rows[h % taps].sum_along(test, reference, window.taps);
    if (h < taps - 1) continue;
    for (std::size_t w = 0; w < width; ++w) {
      double x = 0, y = 0, xx = 0, yy = 0, xy = 0;
      for (int k = 0; k < taps; ++k) {
        const Moments& row = rows[(h + 1 + k) % taps];  // the oldest first
        const double weight = window.taps[k];
        x += weight * row.x[w];
        y += weight * row.y[w];
        xx += weight * row.xx[w];
        yy += weight * row.yy[w];
        xy += weight * row.xy[w];
      }
      const Similarity one = similarity_of(x, y, xx, yy, xy, window.covariance_factor);
      sum.ssim += one.ssim;
      sum.contrast_structure += one.contrast_structure;
    }
  }
  const double windows = static_cast<double>(width) * (pair.height - taps + 1);
  return {sum.ssim / windows, sum.contrast_structure / windows};
}

Score ssim(const Image& test, const Image& reference, const Protocol& protocol,
           SsimConvention convention) {
  const bool matlab = convention == SsimConvention::kMatlab;
  const SimilarityWindow window = matlab ? gaussian_window() : uniform_window();
  const std::string_view name =
      matlab ? "SSIM (MATLAB, Wang: Gaussian 11 x 11, inside)"
             : "SSIM (scikit-image defaults: uniform 7 x 7, sample variance)";
  PlanePair pair =
      scored_planes(test, reference, protocol, "SSIM", static_cast<int>(window.taps.size()));
  double sum = 0;
  for (int plane = 0; plane < pair.planes(); ++plane) {
    sum += mean_similarity(rows_of(pair, plane), window).ssim;
  }
  return {sum / pair.planes(), describe_protocol(name, protocol, pair.planes())};
}

}  // namespace mend
