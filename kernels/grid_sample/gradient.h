// The gradients of reading an image between its pixels: to the pixels that were read, and to the
// positions. (Jaderberg et al. 2015, arXiv:1506.02025, equations 6 and 7.)
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/grid_sample/grid_sample.h"

namespace mend {
namespace op {

/// y[n,h,w,c] = Σ_{p,q} k(h − v)·k(w − u) · dy[n,p,q,c], with (u,v) = grid[n,p,q] in pixels and the
/// kernel k of op::GridSample; a pixel that stands for what lies outside gets that part too.
///
/// grid [N,P,Q,2]   dy [N,P,Q,C] -> y [N,height,width,C]
struct GridSampleImageGradient {
  static constexpr std::string_view kName = "grid_sample_image_gradient";
  static constexpr bool kOnGpu = true;
  enum Slot { kGrid, kDy };

  GridSample sample;
  int height = 0, width = 0;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

/// y[n,p,q,0] = du/dg · Σ_c dy[n,p,q,c] · Σ_{h,w} k(h − v)·k'(w − u) · x[n,h,w,c],   y[..,1] likewise
/// along the rows; u = u(g) as op::GridSample has it.
///
/// x [N,H,W,C]   grid [N,P,Q,2]   dy [N,P,Q,C] -> y like the grid
/// A position that was moved to the edge has gradient 0, and so has every one of kNearest.
struct GridSampleGridGradient {
  static constexpr std::string_view kName = "grid_sample_grid_gradient";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kGrid, kDy };

  GridSample sample;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op

using GridSampleImageGradientKernel = void (*)(const op::GridSampleImageGradient& op,
                                               View<const float> grid, View<const float> dy,
                                               View<float> y);
std::span<const Variant<op::GridSampleImageGradient, GridSampleImageGradientKernel>>
grid_sample_image_gradient_ladder();

using GridSampleGridGradientKernel = void (*)(const op::GridSampleGridGradient& op,
                                              View<const float> x, View<const float> grid,
                                              View<const float> dy, View<float> y);
std::span<const Variant<op::GridSampleGridGradient, GridSampleGridGradientKernel>>
grid_sample_grid_gradient_ladder();

}  // namespace mend
