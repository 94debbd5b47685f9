// The host's side of the CUDA rungs.
#include "engine/cuda/cuda_device.h"
#include "kernels/narrow_type.h"
#include "kernels/rearrange/cuda.h"
#include "kernels/rearrange/variants.h"

namespace mend {

namespace {

template <class Number>
void roll(const op::Roll& op, const View<const Number>& x, const View<Number>& y) {
  launch_roll(wrap(op.shift_h, x.shape.h), wrap(op.shift_w, x.shape.w), x, y,
              current_cuda_device().stream());
}

}  // namespace

void roll_cuda(const op::Roll& op, View<const float> x, View<float> y) { roll<float>(op, x, y); }
void roll_cuda_narrow(const op::Roll& op, Inputs inputs, const Tensor& y) {
  roll<Half>(op, as_16_bits(inputs[0]), as_16_bits(y));
}

void window_partition_cuda(const op::WindowPartition& op, View<const float> x, View<float> y) {
  launch_window_partition<float>(op.dilated, x, y, current_cuda_device().stream());
}
void window_partition_cuda_narrow(const op::WindowPartition& op, Inputs inputs, const Tensor& y) {
  launch_window_partition<Half>(op.dilated, as_16_bits(inputs[0]), as_16_bits(y),
                                current_cuda_device().stream());
}

void window_merge_cuda(const op::WindowMerge& op, View<const float> x, View<float> y) {
  launch_window_merge<float>(op.dilated, x, y, current_cuda_device().stream());
}
void window_merge_cuda_narrow(const op::WindowMerge& op, Inputs inputs, const Tensor& y) {
  launch_window_merge<Half>(op.dilated, as_16_bits(inputs[0]), as_16_bits(y),
                            current_cuda_device().stream());
}

void transpose_cuda(View<const float> x, View<float> y) {
  launch_transpose(x, y, current_cuda_device().stream());
}

}  // namespace mend
