// The host's side of the CUDA rungs.
#include "engine/cuda/cuda_device.h"
#include "kernels/rearrange/cuda.h"
#include "kernels/rearrange/variants.h"

namespace mend {

void roll_cuda(const op::Roll& roll, View<const float> x, View<float> y) {
  launch_roll(wrap(roll.shift_h, x.shape.h), wrap(roll.shift_w, x.shape.w), x, y,
              current_cuda_device().stream());
}

void window_partition_cuda(const op::WindowPartition& op, View<const float> x, View<float> y) {
  launch_window_partition(op.dilated, x, y, current_cuda_device().stream());
}

void window_merge_cuda(const op::WindowMerge& op, View<const float> x, View<float> y) {
  launch_window_merge(op.dilated, x, y, current_cuda_device().stream());
}

void transpose_cuda(View<const float> x, View<float> y) {
  launch_transpose(x, y, current_cuda_device().stream());
}

}  // namespace mend
