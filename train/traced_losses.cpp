#include "train/traced_losses.h"

#include <numbers>

#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/gradient.h"
#include "kernels/fft/fft.h"
#include "kernels/pad/pad.h"
#include "kernels/pixel_loss/pixel_loss.h"
#include "kernels/pool/pool.h"
#include "layers/functions.h"
#include "train/loss_sums.h"

namespace mend {
namespace {

/// weight · the mean of ρ(x − label).
Tensor mean_of(const PixelLoss& loss, const Tensor& x, double label = 0) {
  const Tensor labels = Tensor::full(x.shape(), static_cast<float>(label));
  return apply(op::PixelLossValue{loss}, {x, constant_beside(x, labels)});
}

/// The mean of `loss` over the differences of neighbours downwards, plus that of those to the right.
Tensor of_neighbours(const Tensor& x, const PixelLoss& loss) {
  const auto [N, H, W, C] = x.shape();
  Tensor sum;
  if (H > 1) sum = mean_of(loss, crop(x, 1, 0, H - 1, W) - crop(x, 0, 0, H - 1, W));
  if (W > 1) {
    const Tensor across = mean_of(loss, crop(x, 0, 1, H, W - 1) - crop(x, 0, 0, H, W - 1));
    sum = sum ? sum + across : across;
  }
  return sum ? sum : mean_of(loss, x - x);  // a single pixel has no neighbours
}

/// Means over squares of `side` pixels and over all channels, [N, H/side, W/side, 1].
Tensor region_means(const Tensor& x, int side) {
  const Tensor pooled =
      apply(op::Pool{.kind = PoolKind::kAverage, .kernel = side, .stride = side}, {x});
  const Shape& shape = pooled.shape();
  const Tensor sums = sum_to(pooled, {shape.n, shape.h, shape.w, 1});
  return sums * static_cast<float>(1.0 / shape.c);
}

}  // namespace

Tensor traced_psnr(const Tensor& x, const Tensor& target) {
  const auto [N, H, W, C] = x.shape();
  const Tensor d = x - target;
  const double part = 1 / (static_cast<double>(H) * W * C);
  const Tensor mse = sum_products_to(d, d, {N, 1, 1, 1}) * static_cast<float>(part);
  return mean_of({PixelLossKind::kLogarithm, 1e-8, 10 / std::numbers::ln10}, mse);
}

Tensor traced_fft_l1(const Tensor& x, const Tensor& target) {
  return mean_of({PixelLossKind::kL1}, apply(op::RealFft2{}, {x - target}));
}

Tensor traced_total_variation(const Tensor& x) { return of_neighbours(x, {PixelLossKind::kL1}); }

Tensor traced_illumination_smoothness(const Tensor& maps) {
  return of_neighbours(maps, {PixelLossKind::kMse, 0, 2.0 * maps.shape().c});
}

Tensor traced_spatial_consistency(const Tensor& x, const Tensor& input, int region) {
  check_regions("spatial_consistency_loss", x.shape(), region);
  const Tensor change = region_means(x - input, region);
  const auto [N, H, W, C] = change.shape();
  const Tensor around = apply(op::Pad{1, 1, 1, 1}, {change});
  Tensor sum;
  constexpr int kNeighbours[4][2] = {{1, 0}, {1, 2}, {0, 1}, {2, 1}};  // in what is padded
  for (const auto& [top, left] : kNeighbours) {
    const Tensor apart = mean_of({PixelLossKind::kMse}, change - crop(around, top, left, H, W));
    sum = sum ? sum + apart : apart;
  }
  return sum;
}

Tensor traced_exposure(const Tensor& x, double level, int region) {
  check_regions("exposure_loss", x.shape(), region);
  return mean_of({PixelLossKind::kMse}, region_means(x, region), level);
}

// The mean of differences, not the difference of means: those of a picture that is nearly gray would be lost in
// the rounding of what they are differences of.
Tensor traced_colour_constancy(const Tensor& x) {
  check_rgb("colour_constancy_loss", x.shape());
  const Tensor turned = concat({slice_channels(x, 1, 2), slice_channels(x, 0, 1)});
  const Tensor casts = apply(op::AdaptivePool{}, {x - turned});  // R−G, G−B, B−R
  const Tensor squares = casts * casts;
  return mean_of({PixelLossKind::kRoot}, sum_products_to(squares, squares, {x.shape().n, 1, 1, 1}));
}

Tensor traced_known_l1(const Tensor& x, const Tensor& target) {
  const Tensor known = apply(op::PixelLossValue{{PixelLossKind::kKnown}}, {target, target});
  constexpr float kNone = 1e-20f;  // below one known number's share of any picture
  return apply(op::PixelLossValue{{PixelLossKind::kKnownL1}}, {x, target}) /
         apply(op::Affine{.low = kNone}, {known});
}

}  // namespace mend
