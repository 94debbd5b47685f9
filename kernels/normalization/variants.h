// The rungs of the normalizations' ladders.
#pragma once

#include "kernels/normalization/normalization.h"

namespace mend {

void pixel_norm_reference(PixelMeasure measure, float eps, View<const float> x,
                          View<const float> gamma, View<const float> beta, View<float> y);
void pixel_norm_simd(PixelMeasure measure, float eps, View<const float> x, View<const float> gamma,
                     View<const float> beta, View<float> y);

/// The same on this thread alone, for operations that share out the work themselves; x and y are one
/// row of pixels.
void pixel_norm_simd_on_thread(PixelMeasure measure, float eps, View<const float> x,
                               View<const float> gamma, View<const float> beta, View<float> y);

void softmax_reference(View<const float> x, View<float> y);
void softmax_simd(View<const float> x, View<float> y);

void group_norm_reference(const op::GroupNorm& norm, View<const float> x, View<const float> gamma,
                          View<const float> beta, View<float> y, Scratch scratch);
void group_norm_simd(const op::GroupNorm& norm, View<const float> x, View<const float> gamma,
                     View<const float> beta, View<float> y, Scratch scratch);
/// Working memory of group_norm_simd in bytes.
std::int64_t group_norm_simd_scratch(const op::GroupNorm& norm, const Shape& x);

/// y = (x − mean)·factor + offset for each channel: vectors of C numbers. `mean` may be the leading
/// part of a mean, what f32 leaves of it is in the offset then.
struct ChannelMap {
  const float* mean;
  const float* factor;
  const float* offset;
};
void map_channels_simd(View<const float> x, const ChannelMap& by, View<float> y);

void demodulate_reference(const op::Demodulate& op, View<const float> weight,
                          View<const float> style, View<float> y);
void demodulate_simd(const op::Demodulate& op, View<const float> weight, View<const float> style,
                     View<float> y);

// On the GPU.
void pixel_norm_cuda(PixelMeasure measure, float eps, View<const float> x, View<const float> gamma,
                     View<const float> beta, View<float> y);
/// In f16 and bf16.
void layer_norm_cuda_narrow(const op::LayerNorm& op, Inputs inputs, const Tensor& y);
void softmax_cuda(View<const float> x, View<float> y);
void group_norm_cuda(const op::GroupNorm& norm, View<const float> x, View<const float> gamma,
                     View<const float> beta, View<float> y, Scratch scratch);
/// In f16 and bf16.
void group_norm_cuda_narrow(const op::GroupNorm& op, Inputs inputs, const Tensor& y);
void demodulate_cuda(const op::Demodulate& op, View<const float> weight, View<const float> style,
                     View<float> y);

}  // namespace mend
