// The rungs of the resampling's ladder.
#pragma once

#include "kernels/resample/gradient.h"
#include "kernels/resample/resample.h"
#include "kernels/separable_gradient.h"

namespace mend {

void resample_reference(const op::Resample& resample, View<const float> x, View<float> y,
                        Scratch scratch);
/// Only modes that pick one pixel.
void resample_rows(const op::Resample& resample, View<const float> x, View<float> y,
                   Scratch scratch);
void resample_rows_16_bits(const op::Resample& resample, View<const Half> x, View<Half> y,
                           Scratch scratch);
void resample_simd(const op::Resample& resample, View<const float> x, View<float> y,
                   Scratch scratch);

// On the GPU.
double resample_cuda_nearest_seconds(const op::Resample& op, const Shapes& in);
double resample_cuda_direct_seconds(const op::Resample& op, const Shapes& in);
double resample_cuda_two_pass_seconds(const op::Resample& op, const Shapes& in);
void resample_cuda_nearest(const op::Resample& op, View<const float> x, View<float> y,
                           Scratch scratch);
void resample_cuda_direct(const op::Resample& op, View<const float> x, View<float> y,
                          Scratch scratch);
void resample_cuda_two_pass(const op::Resample& op, View<const float> x, View<float> y,
                            Scratch scratch);
/// In f16 and bf16.
void resample_cuda_nearest_narrow(const op::Resample& op, Inputs inputs, const Tensor& y);
void resample_cuda_direct_narrow(const op::Resample& op, Inputs inputs, const Tensor& y);
void resample_cuda_two_pass_narrow(const op::Resample& op, Inputs inputs, const Tensor& y);

double resample_gradient_cuda_direct_seconds(const op::ResampleGradient& op, const Shapes& in);
double resample_gradient_cuda_two_pass_seconds(const op::ResampleGradient& op, const Shapes& in);
void resample_gradient_cuda_direct(const op::ResampleGradient& op, View<const float> dy,
                                   View<float> y, Scratch scratch);
void resample_gradient_cuda_two_pass(const op::ResampleGradient& op, View<const float> dy,
                                     View<float> y, Scratch scratch);

/// The outputs that every row (or column) of x is part of.
TransposedTaps transposed_rows(
    const op::ResampleGradient& op, const Shape& x,
    std::pmr::memory_resource* memory = std::pmr::get_default_resource());
TransposedTaps transposed_columns(
    const op::ResampleGradient& op, const Shape& x,
    std::pmr::memory_resource* memory = std::pmr::get_default_resource());

/// Whether each output pixel is one input pixel.
bool picks_pixels(ResampleMode mode);

}  // namespace mend
