#include "train/losses.h"

#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "engine/parallel.h"
#include "kernels/fft/fft.h"
#include "kernels/pixel_loss/pixel_loss.h"
#include "train/loss_sums.h"

namespace mend {
namespace {

Loss of_pixels(const PixelLoss& loss, const Tensor& x, const Tensor& target) {
  check_parameter(loss);
  check_shapes(std::string(name_of(loss.kind)) + "_loss", x, target);
  const Tensor gradient = Tensor::empty(x.shape());
  const double value =
      pixel_loss(loss, x.view<const float>(), target.view<const float>(), gradient.view<float>());
  return {value, gradient};
}

}  // namespace

Loss l1_loss(const Tensor& x, const Tensor& target) {
  return of_pixels({PixelLossKind::kL1}, x, target);
}

Loss mse_loss(const Tensor& x, const Tensor& target) {
  return of_pixels({PixelLossKind::kMse}, x, target);
}

Loss smooth_l1_loss(const Tensor& x, const Tensor& target, double beta) {
  return of_pixels({PixelLossKind::kSmoothL1, beta}, x, target);
}

Loss charbonnier_loss(const Tensor& x, const Tensor& target, double eps) {
  return of_pixels({PixelLossKind::kCharbonnier, eps}, x, target);
}

Loss psnr_loss(const Tensor& x, const Tensor& target) {
  constexpr double kEps = 1e-8;
  constexpr double kDecibels = 10 / std::numbers::ln10;  // 10 log10(a) = kDecibels · ln(a)
  check_shapes("psnr_loss", x, target);
  const auto [N, H, W, C] = x.shape();
  const Tensor gradient = Tensor::empty(x.shape());
  const View<const float> a = x.view<const float>(), b = target.view<const float>();
  const View<float> g = gradient.view<float>();
  const auto distance = [&](int n, int h, int w, int c) {
    return double{a(n, h, w, c)} - b(n, h, w, c);
  };
  const std::vector<double> rows = each_row(x.shape(), [&, W = W, C = C](int n, int h) {
    double row = 0;
    for (int w = 0; w < W; ++w)
      for (int c = 0; c < C; ++c) row += distance(n, h, w, c) * distance(n, h, w, c);
    return row;
  });
  const double count = static_cast<double>(H) * W * C;
  double value = 0;
  std::vector<double> mse(static_cast<std::size_t>(N));
  for (int n = 0; n < N; ++n) {
    for (int h = 0; h < H; ++h) mse[n] += rows[static_cast<std::size_t>(n) * H + h] / count;
    value += kDecibels * std::log(mse[n] + kEps) / N;
  }
  // dL/dx = kDecibels / N · dMSE/dx / (MSE + eps),   dMSE/dx = 2·d / (H·W·C)
  parallel_for(std::int64_t{N} * H, [&, H = H, W = W, C = C, N = N](std::int64_t row, int) {
    const int n = static_cast<int>(row / H), h = static_cast<int>(row % H);
    const double factor = kDecibels / N * 2 / count / (mse[n] + kEps);
    for (int w = 0; w < W; ++w)
      for (int c = 0; c < C; ++c) {
        g(n, h, w, c) = static_cast<float>(factor * distance(n, h, w, c));
      }
  });
  return {value, gradient};
}

// The gradient. With θ = 2π(k·h/H + l·w/W), a number D[k,l] = Σ_{h,w} d[h,w]·exp(−iθ) of the half
// spectrum has Re D = Σ d·cos θ and Im D = −Σ d·sin θ. So with S = sign(Re D) + i·sign(Im D)
//
//   dL/dd[h,w] = 1/K · Σ_{k,l} (Re S[k,l]·cos θ − Im S[k,l]·sin θ) = 1/K · Re Σ_{k,l} S[k,l]·exp(iθ)
//
// over the columns l = 0 … W/2. op::InverseRealFft2 computes that sum, but counts the columns for two
// whose conjugates are left out of the half spectrum (g(l) in its formula) and divides by H·W: it is
// given S · H·W / (K·g(l)).
Loss fft_l1_loss(const Tensor& x, const Tensor& target) {
  check_shapes("fft_l1_loss", x, target);
  const auto [N, H, W, C] = x.shape();
  const Tensor difference = Tensor::empty(x.shape());
  const View<const float> a = x.view<const float>(), b = target.view<const float>();
  const View<float> d = difference.view<float>();
  parallel_for(std::int64_t{N} * H, [&, H = H, W = W, C = C](std::int64_t row, int) {
    const int n = static_cast<int>(row / H), h = static_cast<int>(row % H);
    for (int w = 0; w < W; ++w)
      for (int c = 0; c < C; ++c) d(n, h, w, c) = a(n, h, w, c) - b(n, h, w, c);
  });
  const Tensor spectrum = apply(op::RealFft2{}, {difference});
  const View<float> D = spectrum.view<float>();                               // becomes S, scaled
  const double share = 1 / static_cast<double>(spectrum.shape().elements());  // 1/K
  const double scale = static_cast<double>(H) * W * share;
  const std::vector<double> rows = each_row(spectrum.shape(), [&, W = W](int n, int h) {
    double row = 0;
    for (int l = 0; l < D.shape.w; ++l) {
      const bool has_conjugate = l != 0 && 2 * l != W;
      const double weight = has_conjugate ? scale / 2 : scale;
      for (int c = 0; c < D.shape.c; ++c) {
        float& part = D(n, h, l, c);
        row += std::abs(double{part});
        part = static_cast<float>(weight * sign(part));
      }
    }
    return row;
  });
  return {sum(rows) * share, apply(op::InverseRealFft2{.width = W}, {spectrum})};
}

}  // namespace mend
