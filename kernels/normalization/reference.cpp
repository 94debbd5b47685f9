// The truth: the formulas of normalization.h, sums in double.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/normalization/variants.h"

namespace mend {
namespace {

/// What is taken away from each number of a pixel, and what it is divided by then.
struct Measured {
  double offset = 0, divisor = 1;
};

Measured measure_pixel(PixelMeasure measure, double eps, const float* x, int C) {
  double mean = 0, variance = 0, squares = 0;
  for (int c = 0; c < C; ++c) mean += double(x[c]) / C;
  for (int c = 0; c < C; ++c) {
    variance += (x[c] - mean) * (x[c] - mean) / C;
    squares += double(x[c]) * x[c];
  }
  switch (measure) {
    case PixelMeasure::kDeviation:
      return {mean, std::sqrt(variance + eps)};
    case PixelMeasure::kDeviationOnly:
      return {0, std::sqrt(variance + eps)};
    case PixelMeasure::kRootMeanSquare:
      return {0, std::sqrt(squares / C + eps)};
    case PixelMeasure::kLength:
      return {0, std::sqrt(squares) < eps ? eps : std::sqrt(squares)};
  }
  return {};
}

double gamma_at(View<const float> gamma, int c) { return gamma ? gamma.data[c] : 1; }
double beta_at(View<const float> beta, int c) { return beta ? beta.data[c] : 0; }

}  // namespace

void pixel_norm_reference(PixelMeasure measure, float eps, View<const float> x,
                          View<const float> gamma, View<const float> beta, View<float> y) {
  const auto [N, H, W, C] = x.shape;
  for (int n = 0; n < N; ++n)
    for (int h = 0; h < H; ++h)
      for (int w = 0; w < W; ++w) {
        const Measured m = measure_pixel(measure, eps, x.pixel(n, h, w), C);
        for (int c = 0; c < C; ++c) {
          const double normal = (x(n, h, w, c) - m.offset) / m.divisor;
          y(n, h, w, c) = static_cast<float>(normal * gamma_at(gamma, c) + beta_at(beta, c));
        }
      }
}

void softmax_reference(View<const float> x, View<float> y) {
  const auto [N, H, W, C] = x.shape;
  for (int n = 0; n < N; ++n)
    for (int h = 0; h < H; ++h)
      for (int w = 0; w < W; ++w) {
        const double largest = *std::max_element(x.pixel(n, h, w), x.pixel(n, h, w) + C);
        double sum = 0;
        for (int c = 0; c < C; ++c) sum += std::exp(x(n, h, w, c) - largest);
        for (int c = 0; c < C; ++c) {
          y(n, h, w, c) = static_cast<float>(std::exp(x(n, h, w, c) - largest) / sum);
        }
      }
}

void group_norm_reference(const op::GroupNorm& norm, View<const float> x, View<const float> gamma,
                          View<const float> beta, View<float> y, Scratch) {
  const auto [N, H, W, C] = x.shape;
  const int width = C / norm.groups;  // channels of a group
  const double count = static_cast<double>(H) * W * width;
  for (int n = 0; n < N; ++n)
    for (int first = 0; first < C; first += width) {
      double sum = 0, squares = 0;  // of the distances from the mean
      for (int h = 0; h < H; ++h)
        for (int w = 0; w < W; ++w)
          for (int c = first; c < first + width; ++c) sum += x(n, h, w, c);
      const double mean = sum / count;
      for (int h = 0; h < H; ++h)
        for (int w = 0; w < W; ++w)
          for (int c = first; c < first + width; ++c) {
            squares += (x(n, h, w, c) - mean) * (x(n, h, w, c) - mean);
          }
      const double deviation = std::sqrt(squares / count + norm.eps);
      for (int h = 0; h < H; ++h)
        for (int w = 0; w < W; ++w)
          for (int c = first; c < first + width; ++c) {
            const double normal = (x(n, h, w, c) - mean) / deviation;
            y(n, h, w, c) = static_cast<float>(normal * gamma_at(gamma, c) + beta_at(beta, c));
          }
    }
}

void demodulate_reference(const op::Demodulate& op, View<const float> weight,
                          View<const float> style, View<float> y) {
  const auto [K, R, S, C] = weight.shape;
  for (int n = 0; n < style.shape.n; ++n)
    for (int k = 0; k < K; ++k) {
      double sum = op.eps;
      for (int r = 0; r < R; ++r)
        for (int s = 0; s < S; ++s)
          for (int c = 0; c < C; ++c) {
            const double modulated = double(weight(k, r, s, c)) * style(n, 0, 0, c);
            sum += modulated * modulated;
          }
      y(n, 0, 0, k) = static_cast<float>(1 / std::sqrt(sum));
    }
}

}  // namespace mend
