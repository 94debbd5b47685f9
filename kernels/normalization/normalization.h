// Normalizations: numbers divided by a measure of their own size, over the channels of a pixel or
// over a whole image.
//
// Batch norm with its stored statistics is a scale and an offset for each channel, which the layer
// folds into its convolution; batch_norm.h has it with the statistics of the batch, for training.
// A plan joins a layer norm with the linear layer behind it: kernels/norm_linear.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/narrow.h"
#include "kernels/normalization/kind.h"

namespace mend {
namespace op {

/// Each pixel's channels brought to mean 0 and variance 1.
///
///   y[c] = (x[c] − mean) / √(variance + eps) · gamma[c] + beta[c]
///   mean = Σ x[c] / C,   variance = Σ (x[c] − mean)² / C
///
/// Without `subtract_mean` the dividend is x[c] itself, while the variance is still that about the
/// mean: the "BiasFree" norm of Restormer (Zamir et al. 2022, arXiv:2111.09881, official code).
/// x [N,H,W,C]   gamma, beta [1,1,1,C] or absent (1 and 0) -> y like x
/// Equals torch.nn.functional.layer_norm over the last dimension of tokens, and LayerNorm2d over
/// the channels of images (Ba et al. 2016, arXiv:1607.06450). Throws ShapeError if gamma or beta
/// does not fit C.
struct LayerNorm {
  static constexpr std::string_view kName = "layer_norm";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kGamma, kBeta };

  float eps = 1e-5f;
  bool subtract_mean = true;
  /// Of x and y: f32, or on a GPU f16 or bf16, with f32 arithmetic. gamma and beta are f32.
  DType type = DType::kF32;

  PixelMeasure measure() const {
    return subtract_mean ? PixelMeasure::kDeviation : PixelMeasure::kDeviationOnly;
  }

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType to) const;
  std::optional<Fusion> absorb(const AnyOp& next, int position, const Shapes& in,
                               DeviceKind device) const;
  std::optional<Fusion> pair(const AnyOp& next, int position, const Shapes& in,
                             const Shapes& next_in) const;
};

/// y[c] = x[c] / √(Σ x[c]² / C + eps): each pixel brought to length √C.
///
/// x [N,H,W,C] -> y like x. The pixelwise normalization of Progressive GAN and StyleGAN
/// (Karras et al. 2018, arXiv:1710.10196, section 4.2).
struct PixelNorm {
  static constexpr std::string_view kName = "pixel_norm";
  static constexpr bool kOnGpu = true;

  float eps = 1e-8f;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

/// y[c] = x[c] / max(√(Σ x[c]²), eps): each pixel brought to length 1, a zero pixel stays zero.
///
/// x [N,H,W,C] -> y like x. Equals torch.nn.functional.normalize over the channels.
struct L2Normalize {
  static constexpr std::string_view kName = "l2_normalize";
  static constexpr bool kOnGpu = true;

  float eps = 1e-12f;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

/// y[c] = exp(x[c]) / Σ exp(x[c]) over the channels of each pixel.
///
/// x [N,H,W,C] -> y like x. Any finite x is fine: the largest is taken away first. −infinity gives
/// 0; a pixel with a NaN, with +infinity or with −infinity alone is NaN in all channels.
struct Softmax {
  static constexpr std::string_view kName = "softmax";
  static constexpr bool kOnGpu = true;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

/// Groups of neighbouring channels, each brought to mean 0 and variance 1 over a whole image.
///
///   y[n,h,w,c] = (x[n,h,w,c] − mean[n,g]) / √(variance[n,g] + eps) · gamma[c] + beta[c]
///   g = c / (C / groups);   mean and variance over all h, w and the channels of g
///
/// x [N,H,W,C]   gamma, beta [1,1,1,C] or absent (1 and 0) -> y like x
/// groups = C is instance norm. Throws ShapeError if groups does not divide C, or gamma or beta
/// does not fit. Equals torch.nn.functional.group_norm (Wu & He 2018, arXiv:1803.08494).
/// Statistics are summed in an order that depends on the shape of x alone, in double across blocks.
struct GroupNorm {
  static constexpr std::string_view kName = "group_norm";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kGamma, kBeta };

  int groups = 1;
  float eps = 1e-5f;
  /// As op::LayerNorm's.
  DType type = DType::kF32;

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType to) const;
};

/// The factors that give the outputs of a modulated convolution unit variance.
///
///   y[n,0,0,k] = 1 / √(Σ_{r,s,c} (weight[k,r,s,c] · style[n,0,0,c])² + eps)
///
/// weight [K,R,S,C]   style [N,1,1,C] -> y [N,1,1,K]. Throws ShapeError if the channels differ.
/// The convolution of StyleGAN2 with weights (weight · style) · y (Karras et al. 2020,
/// arXiv:1912.04958, equation 3) is x · style, convolved with `weight`, times y.
struct Demodulate {
  static constexpr std::string_view kName = "demodulate";
  static constexpr bool kOnGpu = true;
  enum Slot { kWeight, kStyle };

  float eps = 1e-8f;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

}  // namespace op

/// Absent gamma and beta have no data.
using PixelNormKernel = void (*)(PixelMeasure measure, float eps, View<const float> x,
                                 View<const float> gamma, View<const float> beta, View<float> y);
using LayerNormKernel = NarrowableKernel<op::LayerNorm, PixelNormKernel>;
using SoftmaxKernel = void (*)(View<const float> x, View<float> y);
using GroupNormKernel =
    NarrowableKernel<op::GroupNorm, void (*)(const op::GroupNorm& norm, View<const float> x,
                                             View<const float> gamma, View<const float> beta,
                                             View<float> y, Scratch scratch)>;
using DemodulateKernel = void (*)(const op::Demodulate& op, View<const float> weight,
                                  View<const float> style, View<float> y);

std::span<const Variant<op::LayerNorm, LayerNormKernel>> layer_norm_ladder();
std::span<const Variant<op::PixelNorm, PixelNormKernel>> pixel_norm_ladder();
std::span<const Variant<op::L2Normalize, PixelNormKernel>> l2_normalize_ladder();
std::span<const Variant<op::Softmax, SoftmaxKernel>> softmax_ladder();
std::span<const Variant<op::GroupNorm, GroupNormKernel>> group_norm_ladder();
std::span<const Variant<op::Demodulate, DemodulateKernel>> demodulate_ladder();

}  // namespace mend
