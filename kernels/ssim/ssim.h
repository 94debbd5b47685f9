// How unlike two pictures are in their windows' means, contrasts and structures: SSIM as a loss.
//
// All arithmetic is in double on every device: variances are small differences of large moments, and those in
// f32 would leave the gradient 3 digits.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/ssim/taps.h"

namespace mend {
namespace op {

/// y = 1 − mean SSIM over all windows of 11 x 11 pixels that lie inside, images and channels
///
///   SSIM = A₁·A₂ / (B₁·B₂),   A₁ = 2mu + C₁,       A₂ = 2(r − mu) + C₂
///                             B₁ = m² + u² + C₁,   B₂ = (q − m²) + (v − u²) + C₂
///
/// with a window's weighted moments m = E[x], u = E[target], q = E[x²], v = E[target²], r = E[x·target],
/// C₁ = 0.01², C₂ = 0.03²: Wang et al. 2004, equation 13, for pictures in [0,1]; as a loss Zhao et al. 2017,
/// arXiv:1511.08861. x, target [N,H,W,C] -> y [1,1,1,1]. Throws ShapeError if the shapes differ or no window
/// fits. The target gets no gradient. A NaN in x or target makes y NaN.
struct SsimLoss {
  static constexpr std::string_view kName = "ssim_loss";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kTarget };

  SsimTaps taps = {};

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

/// y = the gradient of SsimLoss with respect to x
///
/// As dm/dx[j] = g[j], dq/dx[j] = 2·g[j]·x[j], dr/dx[j] = g[j]·target[j] with the window's weights g,
///   y[j] = −1/windows · Σ_windows g[j]·(∂SSIM/∂m + 2·x[j]·∂SSIM/∂q + target[j]·∂SSIM/∂r)
/// x, target [N,H,W,C] -> y like x. Throws as SsimLoss does.
struct SsimLossGradient {
  static constexpr std::string_view kName = "ssim_loss_gradient";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kTarget };

  SsimTaps taps = {};

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op

/// Both in one pass on the CPU: returns the loss, unrounded, and writes its gradient, if it has a place.
double ssim_loss(const SsimTaps& taps, View<const float> x, View<const float> target,
                 View<float> gradient, Scratch scratch);
/// Its working memory, for x of that shape.
std::int64_t ssim_loss_scratch(const Shape& x);

using SsimKernel = void (*)(const SsimTaps& taps, View<const float> x, View<const float> target,
                            View<float> y, Scratch scratch);
std::span<const Variant<op::SsimLoss, SsimKernel>> ssim_loss_ladder();
std::span<const Variant<op::SsimLossGradient, SsimKernel>> ssim_loss_gradient_ladder();

}  // namespace mend
