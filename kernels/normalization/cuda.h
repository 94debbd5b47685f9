// The entry points of the normalizations' CUDA kernels; the operations' headers have the formulas. They launch
// on the current device and take their working memory there.
#pragma once

#include "engine/tensor.h"
#include "kernels/normalization/kind.h"

namespace mend {

// Over the channels of each pixel. An absent gamma or beta has no data.

/// Of f32, f16 and bf16, in f32.
template <class T>
void launch_pixel_norm(PixelMeasure measure, float eps, View<const T> x, View<const float> gamma,
                       View<const float> beta, View<T> y);
void launch_softmax(View<const float> x, View<float> y);
void launch_pixel_norm_gradient(PixelMeasure measure, float eps, View<const float> x,
                                View<const float> dy, View<const float> gamma, View<float> y);
void launch_softmax_gradient(View<const float> softmax, View<const float> dy, View<float> y);

// Over images or batches.

/// Of f32, f16 and bf16, in f32.
template <class T>
void launch_group_norm(int groups, float eps, View<const T> x, View<const float> gamma,
                       View<const float> beta, View<T> y);
void launch_batch_statistics(View<const float> x, View<float> y);
void launch_batch_norm(float eps, View<const float> x, View<const float> statistics,
                       View<const float> gamma, View<const float> beta, View<float> y);
void launch_adaptive_instance_norm(float eps, View<const float> x, View<const float> style,
                                   View<float> y);
void launch_global_response_norm(float eps, View<const float> x, View<const float> gamma,
                                 View<const float> beta, View<float> y);
/// weight [K,R,S,C]   style [N,1,1,C] -> y [N,1,1,K]
void launch_demodulate(float eps, View<const float> weight, View<const float> style, View<float> y);

}  // namespace mend
