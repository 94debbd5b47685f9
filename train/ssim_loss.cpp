#include <cmath>
#include <span>
#include <vector>

#include "restore/similarity.h"
#include "train/loss_sums.h"
#include "train/losses.h"

namespace mend {
namespace {

/// One plane in double, row by row. All sums of this loss are: variances are small differences of
/// large moments, and their f32 would leave the gradient 3 digits.
struct Plane {
  int height, width;
  std::vector<double> values;

  Plane(int h, int w) : height(h), width(w), values(static_cast<std::size_t>(h) * w) {}
  double* row(int h) { return &values[static_cast<std::size_t>(h) * width]; }
  const double* row(int h) const { return &values[static_cast<std::size_t>(h) * width]; }
};

/// The weighted mean of every window that lies wholly inside x: [H,W] -> [H−T+1, W−T+1].
Plane window_means(const Plane& x, std::span<const double> taps) {
  const int T = static_cast<int>(taps.size());
  Plane down(x.height - T + 1, x.width), y(x.height - T + 1, x.width - T + 1);
  for (int h = 0; h < y.height; ++h) {
    for (int k = 0; k < T; ++k)
      for (int w = 0; w < x.width; ++w) down.row(h)[w] += taps[k] * x.row(h + k)[w];
    for (int k = 0; k < T; ++k)
      for (int w = 0; w < y.width; ++w) y.row(h)[w] += taps[k] * down.row(h)[w + k];
  }
  return y;
}

/// Its transpose: what every window holds goes back to its pixels, [H−T+1, W−T+1] -> [H,W].
Plane spread_windows(const Plane& y, std::span<const double> taps) {
  const int T = static_cast<int>(taps.size());
  Plane across(y.height, y.width + T - 1), x(y.height + T - 1, y.width + T - 1);
  for (int h = 0; h < y.height; ++h) {
    for (int k = 0; k < T; ++k)
      for (int w = 0; w < y.width; ++w) across.row(h)[w + k] += taps[k] * y.row(h)[w];
    for (int k = 0; k < T; ++k)
      for (int w = 0; w < x.width; ++w) x.row(h + k)[w] += taps[k] * across.row(h)[w];
  }
  return x;
}

Plane product(const Plane& a, const Plane& b) {
  Plane y(a.height, a.width);
  for (std::size_t i = 0; i < y.values.size(); ++i) y.values[i] = a.values[i] * b.values[i];
  return y;
}

Plane plane_of(const Tensor& x, int n, int c) {
  const View<const float> from = x.view<const float>();
  Plane plane(from.shape.h, from.shape.w);
  for (int h = 0; h < plane.height; ++h)
    for (int w = 0; w < plane.width; ++w) plane.row(h)[w] = from(n, h, w, c);
  return plane;
}

/// Σ SSIM over the windows of one plane; scale · dΣ/dx goes to channel c of image n of `gradient`.
///
/// With the moments m = E[x], u = E[y], q = E[x²], v = E[y²], r = E[xy] of a window
///   SSIM = A₁·A₂ / (B₁·B₂),   A₁ = 2mu + C₁,       A₂ = 2(r − mu) + C₂
///                             B₁ = m² + u² + C₁,   B₂ = (q − m²) + (v − u²) + C₂
/// and as dm/dx[j] = g[j], dq/dx[j] = 2·g[j]·x[j], dr/dx[j] = g[j]·y[j] with the window's weights g,
///   dΣ/dx[j] = Σ_windows g[j]·(∂SSIM/∂m + 2·x[j]·∂SSIM/∂q + y[j]·∂SSIM/∂r)
double similarity_and_gradient(const Plane& x, const Plane& y, std::span<const double> taps,
                               double scale, const View<float>& gradient, int n, int c) {
  constexpr double kC1 = 0.01 * 0.01, kC2 = 0.03 * 0.03;
  const Plane mean_x = window_means(x, taps), mean_y = window_means(y, taps);
  const Plane xx = window_means(product(x, x), taps), yy = window_means(product(y, y), taps);
  const Plane xy = window_means(product(x, y), taps);
  Plane by_m(mean_x.height, mean_x.width), by_q = by_m, by_r = by_m;
  double total = 0;
  for (std::size_t i = 0; i < mean_x.values.size(); ++i) {
    const double m = mean_x.values[i], u = mean_y.values[i];
    const double a1 = 2 * m * u + kC1, a2 = 2 * (xy.values[i] - m * u) + kC2;
    const double b1 = m * m + u * u + kC1;
    const double b2 = xx.values[i] - m * m + yy.values[i] - u * u + kC2;
    const double ssim = a1 * a2 / (b1 * b2);
    total += ssim;
    by_m.values[i] = 2 * u * (a2 - a1) / (b1 * b2) + 2 * m * ssim * (1 / b2 - 1 / b1);
    by_q.values[i] = -ssim / b2;
    by_r.values[i] = 2 * a1 / (b1 * b2);
  }
  const Plane of_m = spread_windows(by_m, taps), of_q = spread_windows(by_q, taps);
  const Plane of_r = spread_windows(by_r, taps);
  for (int h = 0; h < x.height; ++h)
    for (int w = 0; w < x.width; ++w) {
      const double slope =
          of_m.row(h)[w] + 2 * x.row(h)[w] * of_q.row(h)[w] + y.row(h)[w] * of_r.row(h)[w];
      gradient(n, h, w, c) = static_cast<float>(scale * slope);
    }
  return total;
}

}  // namespace

Loss ssim_loss(const Tensor& x, const Tensor& target) {
  check_shapes("ssim_loss", x, target);
  const auto [N, H, W, C] = x.shape();
  const std::vector<double> taps = gaussian_window().taps;
  const int T = static_cast<int>(taps.size());
  if (H < T || W < T) {
    throw ShapeError(
        fmt::format("ssim_loss: no window of {0}x{0} fits into {1}", T, to_string(x.shape())));
  }
  const Tensor gradient = Tensor::empty(x.shape());
  const double windows = static_cast<double>(N) * C * (H - T + 1) * (W - T + 1);
  const Shape planes{N, C, 1, 1};
  const std::vector<double> sums = each_row(planes, [&](int n, int c) {
    return similarity_and_gradient(plane_of(x, n, c), plane_of(target, n, c), taps, -1 / windows,
                                   gradient.view<float>(), n, c);
  });
  return {1 - sum(sums) / windows, gradient};
}

}  // namespace mend
