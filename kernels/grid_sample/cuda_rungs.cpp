// The host's side of the CUDA rungs.
#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/machine.h"
#include "kernels/grid_sample/cuda.h"
#include "kernels/grid_sample/rungs.h"

namespace mend {
namespace {

SampledSide side_of(int extent, bool align_corners) {
  return {extent, 1.0 / (align_corners ? extent - 1 : extent)};
}

CudaGridSample on_gpu(const op::GridSample& op, const Shape& x) {
  return {op.mode, op.padding, op.align_corners, side_of(x.h, op.align_corners),
          side_of(x.w, op.align_corners)};
}

}  // namespace

/// About 60 operations in double for the position, of which an H100 has half as many as of f32's; consumers' GPUs
/// have a 64th.
double grid_sample_cuda_naive_seconds(const op::GridSample& op, const Shapes& in) {
  const double elements = static_cast<double>(op.shape(in).elements());
  return elements * 60 * 2 * 2 / NominalGpu::kFlopsPerSecond +
         op.cost(in).bytes / NominalGpu::kBytesPerSecond;
}

void grid_sample_cuda_naive(const op::GridSample& op, View<const float> x, View<const float> grid,
                            View<float> y) {
  launch_grid_sample_naive(on_gpu(op, x.shape), x, grid, y, current_cuda_device().stream());
}
void grid_sample_cuda_taps(const op::GridSample& op, View<const float> x, View<const float> grid,
                           View<float> y) {
  launch_grid_sample_taps(on_gpu(op, x.shape), x, grid, y, current_cuda_device().stream());
}

void grid_sample_image_gradient_cuda(const op::GridSampleImageGradient& op, View<const float> grid,
                                     View<const float> dy, View<float> y) {
  launch_grid_sample_image_gradient(on_gpu(op.sample, y.shape), grid, dy, y,
                                    current_cuda_device().stream());
}
void grid_sample_grid_gradient_cuda(const op::GridSampleGridGradient& op, View<const float> x,
                                    View<const float> grid, View<const float> dy, View<float> y) {
  launch_grid_sample_grid_gradient(on_gpu(op.sample, x.shape), x, grid, dy, y,
                                   current_cuda_device().stream());
}

}  // namespace mend
