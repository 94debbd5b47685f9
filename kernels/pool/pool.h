// Pooling: one number for each window of pixels.
//
// Not built yet: the global mean as an epilogue of the convolution before it (NAFNet's SCA), which
// would save reading the features once more.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/narrow.h"
#include "kernels/pool/kind.h"

namespace mend {

namespace op {

/// The maximum or mean over windows of kernel x kernel pixels.
///
/// x [N,H,W,C] -> y [N,P,Q,C],   P = (H + 2·padding − kernel) / stride + 1, Q likewise
/// Outside x the maximum sees nothing; the mean counts zeros (PyTorch's count_include_pad).
/// A NaN in a window makes its result NaN. Throws ShapeError if y would be empty or the padding is
/// more than half the kernel. Equals torch's max_pool2d and avg_pool2d.
struct Pool {
  static constexpr std::string_view kName = "pool";
  static constexpr bool kOnGpu = true;

  PoolKind kind = PoolKind::kMax;
  int kernel = 2, stride = 2, padding = 0;
  /// Of x and y: f32, or on a GPU f16 or bf16.
  DType type = DType::kF32;

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType to) const;
};

/// The maximum or mean over `height` x `width` windows that cover the image evenly; 1 x 1 is the
/// global pooling. Window p spans rows [floor(p·H/height), ceil((p+1)·H/height)).
///
/// x [N,H,W,C] -> y [N,height,width,C]. Equals torch's adaptive_max_pool2d, adaptive_avg_pool2d.
/// Means are summed in double over rows of x and over blocks of pixels: a float sum over one 1080p
/// plane is 1.4e-5 off.
/// Footprint: where `height` and `width` divide H and W by one factor k > 1 it is a pooling with
/// stride k (as when a network asks for H/k x W/k); everything else, 1 x 1 above all, is global.
struct AdaptivePool {
  static constexpr std::string_view kName = "adaptive_pool";
  static constexpr bool kOnGpu = true;

  PoolKind kind = PoolKind::kAverage;
  int height = 1, width = 1;
  /// f32, f16 or bf16; y is f32 on a CPU, and of the type of x on a GPU.
  DType x_type = DType::kF32, y_type = DType::kF32;

  Shape shape(const Shapes& in) const;
  DType dtype() const { return y_type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType to, DeviceKind device) const;
};

/// The mean of the window around each pixel; where it would reach out of the image it is moved in.
///
///   y[n,p,q,c] = Σ x[n,h,w,c] / (R·S),   h in [top, top + R), w in [left, left + S)
///   top = min(max(p − (R − 1)/2, 0), H − R),   R = min(kernel_h, H);   left and S likewise
///
/// x [N,H,W,C] -> y like x. The local mean of TLC (Chu et al. 2022, arXiv:2112.04491), whose code
/// averages inside the image and then repeats the edge. Sums are taken in double.
/// Throws ShapeError if the kernel is not positive.
/// Footprint: a pixel at the edge sees kernel − 1 pixels into the image. Global if it covers all.
struct BoxMean {
  static constexpr std::string_view kName = "box_mean";
  static constexpr bool kOnGpu = true;

  int kernel_h = 1, kernel_w = 1;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

}  // namespace op

using PoolKernel =
    NarrowableKernel<op::Pool, void (*)(const op::Pool&, View<const float> x, View<float> y)>;
/// By the type of x.
template <class T>
using AdaptivePoolFunction = void (*)(const op::AdaptivePool&, View<const T> x, View<float> y,
                                      Scratch scratch);
/// Of a rung on a CPU by type, on a GPU with one on tensors for all narrow ones.
struct AdaptivePoolKernel : ByType<AdaptivePoolFunction> {
  using ByType::ByType;
  constexpr AdaptivePoolKernel(AdaptivePoolFunction<float> on_f32,
                               void (*on_narrow)(const op::AdaptivePool&, Inputs, const Tensor&))
      : ByType(on_f32), narrow(on_narrow) {}

  void (*narrow)(const op::AdaptivePool& op, Inputs inputs, const Tensor& y) = nullptr;
};
using BoxMeanKernel = void (*)(const op::BoxMean&, View<const float> x, View<float> y,
                               Scratch scratch);
std::span<const Variant<op::Pool, PoolKernel>> pool_ladder();
std::span<const Variant<op::AdaptivePool, AdaptivePoolKernel>> adaptive_pool_ladder();
std::span<const Variant<op::BoxMean, BoxMeanKernel>> box_mean_ladder();

}  // namespace mend
