// What the gradients of normalizations are made of. Those over the channels of a pixel have kernels of
// their own; those over whole images are made of sums, products and broadcasts.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/normalization/normalization.h"

namespace mend {
namespace op {

/// The gradient of LayerNorm, PixelNorm and L2Normalize with respect to x. For each pixel, with
/// g[c] = dy[c] · gamma[c], the mean m and the divisor d of its measure, and u = (x − m) / d:
///
///   kDeviation       y = (g − mean(g) − u · mean(g·u)) / d
///   kDeviationOnly   y = (g − u · mean(g·x) / d) / d
///   kRootMeanSquare  y = (g − x/d · mean(g·x) / d) / d
///   kLength          y = (g − x/d · Σ(g·x) / d) / d,   g / d where the length is below eps
///
/// x [N,H,W,C]   dy like x   gamma [1,1,1,C] or absent -> y like x
/// (Ba et al. 2016, arXiv:1607.06450, differentiated.)
struct PixelNormGradient {
  static constexpr std::string_view kName = "pixel_norm_gradient";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kDy, kGamma };

  PixelMeasure measure = PixelMeasure::kDeviation;
  float eps = 1e-5f;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const;
};

/// The gradient of Softmax: y[c] = s[c] · (dy[c] − Σ_k s[k] · dy[k]) for each pixel.
///
/// s [N,H,W,C], the softmax   dy like it -> y like it
struct SoftmaxGradient {
  static constexpr std::string_view kName = "softmax_gradient";
  static constexpr bool kOnGpu = true;
  enum Slot { kSoftmax, kDy };

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const;
};

}  // namespace op

/// An absent gamma has no data.
using PixelNormGradientKernel = void (*)(const op::PixelNormGradient& op, View<const float> x,
                                         View<const float> dy, View<const float> gamma,
                                         View<float> y);
using SoftmaxGradientKernel = void (*)(View<const float> softmax, View<const float> dy,
                                       View<float> y);
std::span<const Variant<op::PixelNormGradient, PixelNormGradientKernel>>
pixel_norm_gradient_ladder();
std::span<const Variant<op::SoftmaxGradient, SoftmaxGradientKernel>> softmax_gradient_ladder();

// The rungs.
void pixel_norm_gradient_reference(const op::PixelNormGradient& op, View<const float> x,
                                   View<const float> dy, View<const float> gamma, View<float> y);
void pixel_norm_gradient_simd(const op::PixelNormGradient& op, View<const float> x,
                              View<const float> dy, View<const float> gamma, View<float> y);
void softmax_gradient_reference(View<const float> softmax, View<const float> dy, View<float> y);
void softmax_gradient_simd(View<const float> softmax, View<const float> dy, View<float> y);
// On the GPU.
void pixel_norm_gradient_cuda(const op::PixelNormGradient& op, View<const float> x,
                              View<const float> dy, View<const float> gamma, View<float> y);
void softmax_gradient_cuda(View<const float> softmax, View<const float> dy, View<float> y);

}  // namespace mend
