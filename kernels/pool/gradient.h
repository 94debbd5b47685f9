// The gradients of poolings: a mean's goes to all pixels of its window in equal parts, a maximum's to
// the one that was the largest.
#pragma once

#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/pool/pool.h"

namespace mend {
namespace op {

/// The gradient of a mean over windows.
///
///   y[n,h,w,c] = Σ dy[n,p,q,c] / count(p,q)   over all windows (p,q) that pixel (h,w) lies in
///
/// dy [N,P,Q,C] -> y [N,height,width,C]; `pool` is the operation that made P x Q windows of it.
struct MeanGradient {
  static constexpr std::string_view kName = "mean_gradient";
  static constexpr bool kOnGpu = true;

  std::variant<Pool, AdaptivePool, BoxMean> pool;
  int height = 0, width = 0;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

/// The gradient of a maximum over windows.
///
///   y[n,h,w,c] = Σ dy[n,p,q,c]   over all windows (p,q) whose largest number, the first of equals row
///                                by row, is x[n,h,w,c]
///
/// x [N,H,W,C]   dy [N,P,Q,C] -> y like x
struct MaxGradient {
  static constexpr std::string_view kName = "max_gradient";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kDy };

  std::variant<Pool, AdaptivePool> pool;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op

using MeanGradientKernel = void (*)(const op::MeanGradient& op, View<const float> dy, View<float> y,
                                    Scratch scratch);
using MaxGradientKernel = void (*)(const op::MaxGradient& op, View<const float> x,
                                   View<const float> dy, View<float> y);
std::span<const Variant<op::MeanGradient, MeanGradientKernel>> mean_gradient_ladder();
std::span<const Variant<op::MaxGradient, MaxGradientKernel>> max_gradient_ladder();

class TransposedTaps;  // kernels/separable_gradient.h
/// The axis of a mean's gradient: `windows` windows over `extent` rows, or columns.
TransposedTaps transposed_axis(
    const op::MeanGradient& op, int windows, int extent, bool rows,
    std::pmr::memory_resource* memory = std::pmr::get_default_resource());
/// Rows of the window in the middle.
int mean_window_rows(const op::MeanGradient& op, int windows, int extent, bool rows);

// On the GPU.
double mean_gradient_cuda_direct_seconds(const op::MeanGradient& op, const Shapes& in);
double mean_gradient_cuda_two_pass_seconds(const op::MeanGradient& op, const Shapes& in);
void mean_gradient_cuda_direct(const op::MeanGradient& op, View<const float> dy, View<float> y,
                               Scratch scratch);
void mean_gradient_cuda_two_pass(const op::MeanGradient& op, View<const float> dy, View<float> y,
                                 Scratch scratch);
void max_gradient_cuda(const op::MaxGradient& op, View<const float> x, View<const float> dy,
                       View<float> y);

}  // namespace mend
