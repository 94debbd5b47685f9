#include "restore/noise_level.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace mend {
namespace {

constexpr int kPatch = 8;
constexpr int kValues = kPatch * kPatch;
constexpr int kLargestSide = 1024, kSmallestSide = 16;
/// More patches add no precision to 64 eigenvalues, only time.
constexpr std::int64_t kMostPatches = 60'000;

/// A symmetric matrix kValues x kValues.
using Covariance = std::vector<double>;

/// Of the patches of channel c, on a grid that takes at most kMostPatches of them.
Covariance covariance(const View<const float>& x, int c) {
  const int rows = x.shape.h - kPatch + 1, columns = x.shape.w - kPatch + 1;
  const double crowding = static_cast<double>(rows) * columns / kMostPatches;
  const int stride = std::max(1, static_cast<int>(std::ceil(std::sqrt(crowding))));
  Covariance sums(kValues * kValues, 0.0);
  std::vector<double> mean(kValues, 0.0), patch(kValues);
  std::int64_t count = 0;
  for (int y = 0; y < rows; y += stride) {
    for (int column = 0; column < columns; column += stride, ++count) {
      for (int k = 0; k < kValues; ++k) {
        patch[k] = x(0, y + k / kPatch, column + k % kPatch, c);
        mean[k] += patch[k];
      }
      for (int i = 0; i < kValues; ++i)
        for (int j = 0; j <= i; ++j) sums[i * kValues + j] += patch[i] * patch[j];
    }
  }
  const double n = static_cast<double>(count);
  for (int i = 0; i < kValues; ++i) {
    for (int j = 0; j <= i; ++j) {
      const double value = sums[i * kValues + j] / n - mean[i] / n * (mean[j] / n);
      sums[i * kValues + j] = sums[j * kValues + i] = value;
    }
  }
  return sums;
}

/// Ascending, by Jacobi's rotations (Golub & Van Loan, Matrix Computations, 8.5): each makes one
/// pair of off-diagonal elements 0; ten rounds over all pairs are more than doubles need.
std::vector<double> eigenvalues(Covariance a) {
  constexpr int kRounds = 10;
  const auto at = [&](int i, int j) -> double& { return a[i * kValues + j]; };
  for (int round = 0; round < kRounds; ++round) {
    for (int p = 0; p < kValues; ++p) {
      for (int q = p + 1; q < kValues; ++q) {
        if (std::abs(at(p, q)) < 1e-18) continue;
        const double theta = (at(q, q) - at(p, p)) / (2 * at(p, q));
        const double t = std::copysign(1.0, theta) / (std::abs(theta) + std::hypot(theta, 1.0));
        const double cosine = 1 / std::hypot(t, 1.0), sine = t * cosine;
        for (int k = 0; k < kValues; ++k) {
          const double kp = at(k, p), kq = at(k, q);
          at(k, p) = cosine * kp - sine * kq;
          at(k, q) = sine * kp + cosine * kq;
        }
        for (int k = 0; k < kValues; ++k) {
          const double pk = at(p, k), qk = at(q, k);
          at(p, k) = cosine * pk - sine * qk;
          at(q, k) = sine * pk + cosine * qk;
        }
      }
    }
  }
  std::vector<double> values(kValues);
  for (int i = 0; i < kValues; ++i) values[i] = at(i, i);
  std::ranges::sort(values);
  return values;
}

/// The mean of the largest set of smallest values whose mean does not exceed its median.
double variance_of_noise(const std::vector<double>& ascending) {
  double sum = 0;
  for (const double value : ascending) sum += value;
  for (std::size_t count = ascending.size(); count > 1; --count) {
    const double mean = sum / static_cast<double>(count);
    const double median = 0.5 * (ascending[(count - 1) / 2] + ascending[count / 2]);
    if (mean <= median) return mean;
    sum -= ascending[count - 1];
  }
  return ascending.front();
}

}  // namespace

float noise_level(const Tensor& x) {
  const Shape shape = x.shape();
  if (std::min(shape.h, shape.w) < kSmallestSide) return 0;
  const int h = std::min(shape.h, kLargestSide), w = std::min(shape.w, kLargestSide);
  const Tensor middle = x.crop((shape.h - h) / 2, (shape.w - w) / 2, h, w);
  double variance = 0;
  for (int c = 0; c < shape.c; ++c) {
    variance += variance_of_noise(eigenvalues(covariance(middle.view<const float>(), c)));
  }
  return static_cast<float>(std::sqrt(std::max(variance / shape.c, 0.0)));
}

}  // namespace mend
