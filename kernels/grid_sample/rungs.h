// The rungs of the grid sampling's ladder, and the geometry that they share.
#pragma once

#include "kernels/grid_sample/gradient.h"
#include "kernels/grid_sample/grid_sample.h"

namespace mend {

/// The position in pixels of `normalised`, in [-1, 1] along a side of `extent` pixels.
double pixel_position(double normalised, int extent, bool align_corners);

/// The position that `position` outside the image stands for under border or reflection padding, in
/// [0, extent − 1]; unchanged under zero padding.
double padded_position(double position, int extent, const op::GridSample& op);

/// Keys' cubic kernel with a = −0.75.
double cubic_kernel(double t);

void grid_sample_reference(const op::GridSample& op, View<const float> x, View<const float> grid,
                           View<float> y);
void grid_sample_taps(const op::GridSample& op, View<const float> x, View<const float> grid,
                      View<float> y);

// On the GPU.
double grid_sample_cuda_naive_seconds(const op::GridSample& op, const Shapes& in);
void grid_sample_cuda_naive(const op::GridSample& op, View<const float> x, View<const float> grid,
                            View<float> y);
void grid_sample_cuda_taps(const op::GridSample& op, View<const float> x, View<const float> grid,
                           View<float> y);
void grid_sample_image_gradient_cuda(const op::GridSampleImageGradient& op, View<const float> grid,
                                     View<const float> dy, View<float> y);
void grid_sample_grid_gradient_cuda(const op::GridSampleGridGradient& op, View<const float> x,
                                    View<const float> grid, View<const float> dy, View<float> y);

}  // namespace mend
