// The rungs of the poolings' ladders.
#pragma once

#include "kernels/pool/pool.h"

namespace mend {

/// Rows (or columns) [first, last) of an image.
struct Window {
  int first = 0, last = 0;
};

/// What of an image of `extent` rows the window of output row p covers.
Window pool_window(const op::Pool& pool, int p, int extent);
/// Window p of `windows` that cover `extent` rows evenly.
Window adaptive_window(int p, int windows, int extent);

void pool_reference(const op::Pool& pool, View<const float> x, View<float> y);
void pool_simd(const op::Pool& pool, View<const float> x, View<float> y);
/// On the GPU; the second in f16 and bf16.
void pool_cuda(const op::Pool& pool, View<const float> x, View<float> y);
void pool_cuda_narrow(const op::Pool& pool, Inputs inputs, const Tensor& y);

void adaptive_pool_reference(const op::AdaptivePool& pool, View<const float> x, View<float> y,
                             Scratch scratch);
void adaptive_pool_simd(const op::AdaptivePool& pool, View<const float> x, View<float> y,
                        Scratch scratch);
void adaptive_pool_simd_f16(const op::AdaptivePool& pool, View<const Half> x, View<float> y,
                            Scratch scratch);
void adaptive_pool_simd_bf16(const op::AdaptivePool& pool, View<const BFloat16> x, View<float> y,
                             Scratch scratch);
void adaptive_pool_cuda(const op::AdaptivePool& pool, View<const float> x, View<float> y,
                        Scratch scratch);
void adaptive_pool_cuda_narrow(const op::AdaptivePool& pool, Inputs inputs, const Tensor& y);
/// Working memory of adaptive_pool_simd in bytes.
std::int64_t adaptive_pool_simd_scratch(const Shape& x, const Shape& y);

/// The window of BoxMean around row p of `extent` rows.
Window box_window(int kernel, int p, int extent);

void box_mean_reference(const op::BoxMean& box, View<const float> x, View<float> y,
                        Scratch scratch);
void box_mean_sliding(const op::BoxMean& box, View<const float> x, View<float> y, Scratch scratch);
/// Working memory of box_mean_sliding in bytes.
std::int64_t box_mean_sliding_scratch(const Shape& x);
/// On the GPU.
void box_mean_cuda(const op::BoxMean& box, View<const float> x, View<float> y, Scratch scratch);

}  // namespace mend
