// Plane by plane in double, the planes on all threads. This is the truth and fast enough beside a network's
// other steps.
#include <vector>

#include "engine/parallel.h"
#include "kernels/ssim/rungs.h"
#include "kernels/ssim/ssim.h"
#include "kernels/ssim/terms.h"

namespace mend {
namespace {

/// One plane in double, row by row.
struct Plane {
  int height, width;
  std::vector<double> values;

  Plane(int h, int w) : height(h), width(w), values(static_cast<std::size_t>(h) * w) {}
  double* row(int h) { return &values[static_cast<std::size_t>(h) * width]; }
  const double* row(int h) const { return &values[static_cast<std::size_t>(h) * width]; }
};

/// The weighted mean of every window that lies wholly inside x: [H,W] -> [H−T+1, W−T+1].
Plane window_means(const Plane& x, const SsimTaps& taps) {
  constexpr int T = kSsimTaps;
  Plane down(x.height - T + 1, x.width), y(x.height - T + 1, x.width - T + 1);
  for (int h = 0; h < y.height; ++h) {
    for (int k = 0; k < T; ++k)
      for (int w = 0; w < x.width; ++w) down.row(h)[w] += taps.weights[k] * x.row(h + k)[w];
    for (int k = 0; k < T; ++k)
      for (int w = 0; w < y.width; ++w) y.row(h)[w] += taps.weights[k] * down.row(h)[w + k];
  }
  return y;
}

/// Its transpose: what every window holds goes back to its pixels, [H−T+1, W−T+1] -> [H,W].
Plane spread_windows(const Plane& y, const SsimTaps& taps) {
  constexpr int T = kSsimTaps;
  Plane across(y.height, y.width + T - 1), x(y.height + T - 1, y.width + T - 1);
  for (int h = 0; h < y.height; ++h) {
    for (int k = 0; k < T; ++k)
      for (int w = 0; w < y.width; ++w) across.row(h)[w + k] += taps.weights[k] * y.row(h)[w];
    for (int k = 0; k < T; ++k)
      for (int w = 0; w < x.width; ++w) x.row(h + k)[w] += taps.weights[k] * across.row(h)[w];
  }
  return x;
}

Plane product(const Plane& a, const Plane& b) {
  Plane y(a.height, a.width);
  for (std::size_t i = 0; i < y.values.size(); ++i) y.values[i] = a.values[i] * b.values[i];
  return y;
}

Plane plane_of(const View<const float>& from, int n, int c) {
  Plane plane(from.shape.h, from.shape.w);
  for (int h = 0; h < plane.height; ++h)
    for (int w = 0; w < plane.width; ++w) plane.row(h)[w] = from(n, h, w, c);
  return plane;
}

/// Σ SSIM over the windows of one plane; scale · dΣ/dx goes to channel c of image n of `gradient`.
double similarity_and_gradient(const Plane& x, const Plane& y, const SsimTaps& taps, double scale,
                               const View<float>& gradient, int n, int c) {
  const Plane means[kSsimMoments] = {
      window_means(x, taps), window_means(y, taps), window_means(product(x, x), taps),
      window_means(product(y, y), taps), window_means(product(x, y), taps)};
  Plane by_x(means[0].height, means[0].width), by_xx = by_x, by_xy = by_x;
  double total = 0;
  for (std::size_t i = 0; i < by_x.values.size(); ++i) {
    double moments[kSsimMoments];
    for (int moment = 0; moment < kSsimMoments; ++moment) moments[moment] = means[moment].values[i];
    const SsimTerms terms = ssim_terms(moments);
    total += terms.ssim;
    by_x.values[i] = terms.by_x;
    by_xx.values[i] = terms.by_xx;
    by_xy.values[i] = terms.by_xy;
  }
  if (!gradient) return total;
  const Plane of_x = spread_windows(by_x, taps), of_xx = spread_windows(by_xx, taps);
  const Plane of_xy = spread_windows(by_xy, taps);
  for (int h = 0; h < x.height; ++h)
    for (int w = 0; w < x.width; ++w) {
      const double slope =
          of_x.row(h)[w] + 2 * x.row(h)[w] * of_xx.row(h)[w] + y.row(h)[w] * of_xy.row(h)[w];
      gradient(n, h, w, c) = static_cast<float>(scale * slope);
    }
  return total;
}

}  // namespace

double ssim_loss(const SsimTaps& taps, View<const float> x, View<const float> target,
                 View<float> gradient) {
  const auto [N, H, W, C] = x.shape;
  const double windows = static_cast<double>(N) * C * (H - kSsimTaps + 1) * (W - kSsimTaps + 1);
  std::vector<double> sums(static_cast<std::size_t>(N) * C);
  parallel_for(std::int64_t{N} * C, [&, C = C](std::int64_t plane, int) {
    const int n = static_cast<int>(plane / C), c = static_cast<int>(plane % C);
    sums[static_cast<std::size_t>(plane)] = similarity_and_gradient(
        plane_of(x, n, c), plane_of(target, n, c), taps, -1 / windows, gradient, n, c);
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return 1 - total / windows;
}

void ssim_loss_planes(const SsimTaps& taps, View<const float> x, View<const float> target,
                      View<float> y) {
  *y.data = static_cast<float>(ssim_loss(taps, x, target, {}));
}

void ssim_loss_gradient_planes(const SsimTaps& taps, View<const float> x, View<const float> target,
                               View<float> y) {
  ssim_loss(taps, x, target, y);
}

}  // namespace mend
