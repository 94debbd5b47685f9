// The entry points of the grid sampling's CUDA kernels; op::GridSample says what they compute.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/tensor.h"
#include "kernels/grid_sample/kind.h"

namespace mend {

/// A side of the image.
struct SampledSide {
  int extent;
  double per_span;  ///< 1 over the distance of the mirrors; any number if that is 0
};

/// op::GridSample of an image, for device code.
struct CudaGridSample {
  SampleMode mode;
  SamplePadding padding;
  bool align_corners;
  SampledSide rows, columns;
};

/// A number of y a thread.
void launch_grid_sample_naive(const CudaGridSample& op, const View<const float>& x,
                              const View<const float>& grid, const View<float>& y,
                              cudaStream_t stream);
/// Taps in shared memory, a pixel after the other.
void launch_grid_sample_taps(const CudaGridSample& op, const View<const float>& x,
                             const View<const float>& grid, const View<float>& y,
                             cudaStream_t stream);

/// op::GridSampleImageGradient; `op` is that of y.
void launch_grid_sample_image_gradient(const CudaGridSample& op, const View<const float>& grid,
                                       const View<const float>& dy, const View<float>& y,
                                       cudaStream_t stream);
/// op::GridSampleGridGradient.
void launch_grid_sample_grid_gradient(const CudaGridSample& op, const View<const float>& x,
                                      const View<const float>& grid, const View<const float>& dy,
                                      const View<float>& y, cudaStream_t stream);

}  // namespace mend
