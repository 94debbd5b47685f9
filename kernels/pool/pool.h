// Pooling: one number for each window of pixels.
#pragma once

#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"

namespace mend {

enum class PoolKind { kMax, kAverage };

namespace op {

/// The maximum or mean over windows of kernel x kernel pixels.
///
/// x [N,H,W,C] -> y [N,P,Q,C],   P = (H + 2·padding − kernel) / stride + 1, Q likewise
/// Outside x the maximum sees nothing; the mean counts zeros (PyTorch's count_include_pad).
struct Pool {
  static constexpr std::string_view kName = "pool";

  PoolKind kind = PoolKind::kMax;
  int kernel = 2, stride = 2, padding = 0;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

/// The maximum or mean over `height` x `width` windows that cover the image evenly; 1 x 1 is the
/// global pooling. Window p spans rows [floor(p·H/height), ceil((p+1)·H/height)).
///
/// x [N,H,W,C] -> y [N,height,width,C]. Equals torch's adaptive_max_pool2d, adaptive_avg_pool2d.
struct AdaptivePool {
  static constexpr std::string_view kName = "adaptive_pool";

  PoolKind kind = PoolKind::kAverage;
  int height = 1, width = 1;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op
}  // namespace mend
