// The host's side of the gradients' CUDA rungs.
#include "kernels/deform_conv2d/cuda.h"
#include "kernels/deform_conv2d/cuda_matrices.h"
#include "kernels/deform_conv2d/gradient_rungs.h"

namespace mend {

/// One product for all taps, or, in groups, whose channels of one tap lie side by side in y, one for each tap.
void deform_column_gradient_cuda(const op::DeformColumnGradient& op, View<const float> weight,
                                 View<const float> dy, View<float> y) {
  const DenseWeight dense(weight);
  const int groups = op.groups, K = dy.shape.c / groups, C = weight.shape.c;
  const int taps = weight.shape.h * weight.shape.w, length = taps * C;
  const auto run = [&](const float* from, float* to, int pixels) {
    if (groups == 1) {
      return multiply({}, matrices(from, 1, pixels, K, 0, dy.w_stride),
                      matrices(dense.view.data, 1, K, length, 0, length),
                      matrices(to, 1, pixels, length, 0, y.w_stride));
    }
    for (int tap = 0; tap < taps; ++tap) {
      multiply({}, matrices(from, groups, pixels, K, K, dy.w_stride),
               matrices(dense.view.data + tap * C, groups, K, C, std::int64_t{K} * length, length),
               matrices(to + std::int64_t{tap} * groups * C, groups, pixels, C, C, y.w_stride));
    }
  };
  if (dy.evenly_spaced() && y.evenly_spaced()) {
    return run(dy.data, y.data, static_cast<int>(dy.shape.pixels()));
  }
  for (int n = 0; n < dy.shape.n; ++n)
    for (int p = 0; p < dy.shape.h; ++p) run(dy.pixel(n, p, 0), y.pixel(n, p, 0), dy.shape.w);
}

void deform_image_gradient_cuda(const op::DeformImageGradient& op, View<const float> offset,
                                View<const float> mask, View<const float> column, View<float> y) {
  launch_deform_image_gradient(on_gpu(op.convolution), offset, mask, column, y,
                               current_cuda_device().stream());
}

void deform_offset_gradient_cuda(const op::DeformOffsetGradient& op, View<const float> x,
                                 View<const float> offset, View<const float> mask,
                                 View<const float> column, View<float> y) {
  launch_deform_offset_gradient(on_gpu(op.convolution), op.of_mask, x, offset, mask, column, y,
                                current_cuda_device().stream());
}

/// Columns again, some rows at a time; the sums of each part are added at the end.
void deform_weight_gradient_cuda(const op::DeformWeightGradient& op, View<const float> x,
                                 View<const float> offset, View<const float> mask,
                                 View<const float> dy, View<float> y, Scratch) {
  const op::DeformConv2d& convolution = op.convolution;
  const CudaDeformCall call{
      on_gpu(convolution),           x, offset, mask, {}, {}, {nullptr, dy.shape},
      current_cuda_device().stream()};
  const ColumnRows columns(convolution, x.shape.c, dy.shape, rows_join(dy));
  const int groups = convolution.groups, K = dy.shape.c / groups, Q = dy.shape.w;
  const int length = static_cast<int>(columns.of_pixel() / groups);
  const DeviceNumbers parts(y.shape.elements() * columns.count());
  columns.for_each([&](int n, int first, int rows, int part) {
    launch_deform_columns(call, n, first, rows, columns.data());
    const float* from = columns.data();
    multiply({true, false}, matrices(dy.pixel(n, first, 0), groups, rows * Q, K, K, dy.w_stride),
             matrices(from, groups, rows * Q, length, length, columns.of_pixel()),
             matrices(parts.data() + part * y.shape.elements(), groups, K, length,
                      std::int64_t{K} * length, length));
  });
  launch_deform_add_parts(parts.data(), columns.count(), y, call.stream);
}

}  // namespace mend
