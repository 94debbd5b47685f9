// The entry points of the rearrangements' CUDA kernels. Numbers are float, or Half, which stands for any 16 bits.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/tensor.h"

namespace mend {

/// y[n, (h + shift_h) mod H, (w + shift_w) mod W] = x[n,h,w], shifts in [0, H) and [0, W)
template <class Number>
void launch_roll(int shift_h, int shift_w, const View<const Number>& x, const View<Number>& y,
                 cudaStream_t stream);
/// y: windows; op::WindowPartition
template <class Number>
void launch_window_partition(bool dilated, const View<const Number>& x, const View<Number>& y,
                             cudaStream_t stream);
/// x: windows; op::WindowMerge
template <class Number>
void launch_window_merge(bool dilated, const View<const Number>& x, const View<Number>& y,
                         cudaStream_t stream);

/// y[n,h,c,w] = x[n,h,w,c]
void launch_transpose(const View<const float>& x, const View<float>& y, cudaStream_t stream);

}  // namespace mend
