// Reading an image at given positions between its pixels: warping by a flow, rotating, aligning.
//
// Next idea: positions of neighbouring outputs are mostly near each other; tiles of outputs in the
// order of a space-filling curve would keep their pixels in L1 under large rotations.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/grid_sample/kind.h"

namespace mend {

namespace op {

/// x read at the positions in `grid`.
///
///   y[n,p,q,c] = Σ_{h,w} k(h − v)·k(w − u)·x[n,h,w,c],   (u, v) = grid[n,p,q] in pixels:
///   u = (g + 1)/2·(W − 1) with align_corners,   ((g + 1)·W − 1)/2 without,   g = grid[n,p,q,0];
///   v likewise from grid[n,p,q,1] and H
///   k(t) = max(1 − |t|, 0) for kBilinear, the cubic kernel for kBicubic, one pixel for kNearest
///
/// x [N,H,W,C]   grid [N,P,Q,2]: x (to the right), then y (downwards), −1 ... 1 across the image;
/// positions outside that range are as padding says -> y [N,P,Q,C]
/// A position that is not a finite number gives NaN.
/// Throws ShapeError if the grid has not two channels or another N.
/// Equals torch.nn.functional.grid_sample.
///
/// Footprint: global, as only the grid says how far away an output looks.
struct GridSample {
  static constexpr std::string_view kName = "grid_sample";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kGrid };

  SampleMode mode = SampleMode::kBilinear;
  SamplePadding padding = SamplePadding::kZeros;
  bool align_corners = false;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

}  // namespace op

using GridSampleKernel = void (*)(const op::GridSample& op, View<const float> x,
                                  View<const float> grid, View<float> y);
std::span<const Variant<op::GridSample, GridSampleKernel>> grid_sample_ladder();

}  // namespace mend
