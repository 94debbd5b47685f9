// The rungs of the rearrangements' ladders.
#pragma once

#include "kernels/rearrange/rearrange.h"

namespace mend {

void roll_reference(const op::Roll& roll, View<const float> x, View<float> y);
void roll_rows(const op::Roll& roll, View<const float> x, View<float> y);

void window_partition_reference(const op::WindowPartition& op, View<const float> x, View<float> y);
void window_partition_rows(const op::WindowPartition& op, View<const float> x, View<float> y);

void window_merge_reference(const op::WindowMerge& op, View<const float> x, View<float> y);
void window_merge_rows(const op::WindowMerge& op, View<const float> x, View<float> y);

void transpose_reference(View<const float> x, View<float> y);
void transpose_tiles(View<const float> x, View<float> y);

// On the GPU.
void roll_cuda(const op::Roll& roll, View<const float> x, View<float> y);
void window_partition_cuda(const op::WindowPartition& op, View<const float> x, View<float> y);
void window_merge_cuda(const op::WindowMerge& op, View<const float> x, View<float> y);
/// In f16 or bf16.
void roll_cuda_narrow(const op::Roll& roll, Inputs inputs, const Tensor& y);
void window_partition_cuda_narrow(const op::WindowPartition& op, Inputs inputs, const Tensor& y);
void window_merge_cuda_narrow(const op::WindowMerge& op, Inputs inputs, const Tensor& y);
void transpose_cuda(View<const float> x, View<float> y);

/// index mod extent, in [0, extent) for negative indices too.
inline int wrap(std::int64_t index, int extent) {
  const std::int64_t rest = index % extent;
  return static_cast<int>(rest < 0 ? rest + extent : rest);
}

}  // namespace mend
