// Adaptive instance normalization: the statistics of one image lent to another.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"

namespace mend {
namespace op {

/// Each channel of x brought to the mean and deviation that the channel has in `style`.
///
///   y[n,h,w,c] = (x[n,h,w,c] − mean_x[n,c]) / σ_x[n,c] · σ_s[n,c] + mean_s[n,c]
///   σ[n,c] = √(Σ_{h,w} (x[n,h,w,c] − mean[n,c])² / (H·W − 1) + eps),   of style likewise
///
/// x [N,H,W,C]   style [N,P,Q,C] -> y like x. Throws ShapeError if N or C differ, or one of them has
/// a single pixel, which has no deviation. AdaIN (Huang & Belongie 2017, arXiv:1703.06868, equation
/// 8) with the unbiased variance that its code, and CodeFormer's, take.
/// Sums are taken in double, pixel by pixel: the order depends on the shapes alone.
struct AdaptiveInstanceNorm {
  static constexpr std::string_view kName = "adaptive_instance_norm";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kStyle };

  float eps = 1e-5f;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

}  // namespace op

using AdaptiveInstanceNormKernel = void (*)(float eps, View<const float> x, View<const float> style,
                                            View<float> y);
std::span<const Variant<op::AdaptiveInstanceNorm, AdaptiveInstanceNormKernel>>
adaptive_instance_norm_ladder();

void adaptive_instance_norm_reference(float eps, View<const float> x, View<const float> style,
                                      View<float> y);
void adaptive_instance_norm_simd(float eps, View<const float> x, View<const float> style,
                                 View<float> y);

/// On the GPU.
void adaptive_instance_norm_cuda(float eps, View<const float> x, View<const float> style,
                                 View<float> y);

}  // namespace mend
