// Batch normalization while a network is trained: the statistics are those of the batch.
//
// Measuring and normalizing are two operations, so that x is read once for both the result and the
// running statistics, and the statistics are there for the gradient. After training the running
// ones take their place, and layers/batch_norm2d.h folds them into a convolution.
//
//   x ─┬─ batch_statistics ─┬─ batch_norm ─ y
//      └────────────────────│─┘
//                           └─ update_running_statistics
//
// Next idea: batch_norm needs nothing of y's neighbours, so the convolution behind it could normalize
// what it reads, as kernels/norm_linear does for a layer norm.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"

namespace mend {
namespace op {

/// The mean and the variance of each channel over all pixels of a batch.
///
///   y[0,0,0,c] = mean[c] = Σ_{n,h,w} x[n,h,w,c] / M,   M = N·H·W
///   y[0,0,1,c] = variance[c] = Σ_{n,h,w} (x[n,h,w,c] − mean[c])² / M
///
/// x [N,H,W,C] -> y [1,1,2,C], row 0 the means, row 1 the variances (biased).
/// Sums are taken in double, in an order that depends on the shape of x alone.
///   dx = (dmean + 2·dvariance·(x − mean)) / M
struct BatchStatistics {
  static constexpr std::string_view kName = "batch_statistics";
  static constexpr bool kOnGpu = true;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

/// Each channel brought to mean 0 and variance 1 by given statistics.
///
///   y[n,h,w,c] = (x[n,h,w,c] − mean[c]) / √(variance[c] + eps) · gamma[c] + beta[c]
///
/// x [N,H,W,C]   statistics [1,1,2,C] as BatchStatistics has them   gamma, beta [1,1,1,C] or absent
/// (1 and 0) -> y like x. Throws ShapeError if statistics, gamma or beta do not fit C.
/// With the statistics of x it equals torch.nn.BatchNorm2d in training mode (Ioffe & Szegedy 2015,
/// arXiv:1502.03167, algorithm 1). A mean is an f32 number: it is as exact as the x that it is
/// taken away from.
/// The gradient that goes through the statistics is theirs, and ends in the same x: with u = (y − beta)
/// / gamma, g = dy·gamma and the statistics of x, both parts together are (g − mean(g) − u·mean(g·u)) / σ.
struct BatchNorm {
  static constexpr std::string_view kName = "batch_norm";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kStatistics, kGamma, kBeta };

  float eps = 1e-5f;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  /// Of the normalizing alone, a pixel; BatchStatistics is what sees the whole image.
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

}  // namespace op

/// Moves the running statistics, in place, towards those of a batch of `pixels` = N·H·W pixels:
///
///   mean     ← (1 − momentum) · mean     + momentum · statistics[0]
///   variance ← (1 − momentum) · variance + momentum · statistics[1] · pixels / (pixels − 1)
///
/// statistics [1,1,2,C]   mean, variance [1,1,1,C]   momentum in [0,1], 0.1 in torch.nn.BatchNorm2d
/// Throws ShapeError if they do not fit, or if a single pixel leaves the unbiased variance undefined.
void update_running_statistics(const Tensor& statistics, std::int64_t pixels, double momentum,
                               const Tensor& mean, const Tensor& variance);

using BatchStatisticsKernel = void (*)(View<const float> x, View<float> y, Scratch scratch);
/// Absent gamma and beta have no data.
using BatchNormKernel = void (*)(float eps, View<const float> x, View<const float> statistics,
                                 View<const float> gamma, View<const float> beta, View<float> y,
                                 Scratch scratch);
std::span<const Variant<op::BatchStatistics, BatchStatisticsKernel>> batch_statistics_ladder();
std::span<const Variant<op::BatchNorm, BatchNormKernel>> batch_norm_ladder();

void batch_statistics_reference(View<const float> x, View<float> y, Scratch scratch);
void batch_statistics_simd(View<const float> x, View<float> y, Scratch scratch);
/// Working memory of batch_statistics_simd in bytes.
std::int64_t batch_statistics_simd_scratch(const Shape& x);

void batch_norm_reference(float eps, View<const float> x, View<const float> statistics,
                          View<const float> gamma, View<const float> beta, View<float> y,
                          Scratch scratch);
void batch_norm_simd(float eps, View<const float> x, View<const float> statistics,
                     View<const float> gamma, View<const float> beta, View<float> y,
                     Scratch scratch);
/// Working memory of batch_norm_simd in bytes.
std::int64_t batch_norm_simd_scratch(const Shape& x);

// On the GPU.
void batch_statistics_cuda(View<const float> x, View<float> y, Scratch scratch);
void batch_norm_cuda(float eps, View<const float> x, View<const float> statistics,
                     View<const float> gamma, View<const float> beta, View<float> y,
                     Scratch scratch);

}  // namespace mend
