// The entry points of poolings' CUDA kernels.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/tensor.h"
#include "kernels/pool/kind.h"

namespace mend {

/// op::Pool; one output a thread. f32, f16 and bf16.
template <class T>
void launch_pool(PoolKind kind, int kernel, int stride, int padding, const View<const T>& x,
                 const View<T>& y, cudaStream_t stream);
/// op::AdaptivePool; one output a thread, for small windows.
template <class T>
void launch_adaptive_pool(PoolKind kind, const View<const T>& x, const View<T>& y,
                          cudaStream_t stream);
/// The same in two steps, for large windows: every window is dealt out to `slices` blocks.
/// partial: [N, P·Q, slices, C] doubles.
template <class T>
void launch_adaptive_pool_slices(PoolKind kind, const View<const T>& x, double* partial, int slices,
                                 const View<T>& y, cudaStream_t stream);

/// One pass of op::BoxMean: over `rows` rows, or over columns. x and y do not overlap.
void launch_sliding_mean(int rows, bool columns, const View<const float>& x, const View<float>& y,
                         cudaStream_t stream);
/// op::MaxGradient of op::Pool. places: [N,P,Q,C] of working memory.
void launch_max_gradient(int kernel, int stride, int padding, const View<const float>& x,
                         const View<const float>& dy, int* places, const View<float>& y,
                         cudaStream_t stream);
/// The same of op::AdaptivePool.
void launch_adaptive_max_gradient(const View<const float>& x, const View<const float>& dy,
                                  int* places, const View<float>& y, cudaStream_t stream);

}  // namespace mend
