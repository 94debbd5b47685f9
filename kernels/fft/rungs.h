// The rungs of the Fourier transforms' ladders.
#pragma once

#include "kernels/fft/fft.h"

namespace mend {

/// The factor of one transform of height x width numbers.
double fft_scale(FftNorm norm, bool inverse, int height, int width);

void real_fft2_reference(const op::RealFft2& op, View<const float> x, View<float> y,
                         Scratch scratch);
void inverse_real_fft2_reference(const op::InverseRealFft2& op, View<const float> x, View<float> y,
                                 Scratch scratch);

std::int64_t real_fft2_bundles_scratch(const op::RealFft2& op, const Shapes& in);
void real_fft2_bundles(const op::RealFft2& op, View<const float> x, View<float> y, Scratch scratch);
std::int64_t inverse_real_fft2_bundles_scratch(const op::InverseRealFft2& op, const Shapes& in);
void inverse_real_fft2_bundles(const op::InverseRealFft2& op, View<const float> x, View<float> y,
                               Scratch scratch);

// On the GPU.
std::string real_fft2_cuda_lines_refuses(const op::RealFft2& op, const Shapes& in);
std::string real_fft2_cuda_patch8_refuses(const op::RealFft2& op, const Shapes& in);
double real_fft2_cuda_naive_seconds(const op::RealFft2& op, const Shapes& in);
double real_fft2_cuda_lines_seconds(const op::RealFft2& op, const Shapes& in);
void real_fft2_cuda_naive(const op::RealFft2& op, View<const float> x, View<float> y,
                          Scratch scratch);
void real_fft2_cuda_lines(const op::RealFft2& op, View<const float> x, View<float> y,
                          Scratch scratch);
void real_fft2_cuda_patch8(const op::RealFft2& op, View<const float> x, View<float> y,
                           Scratch scratch);
std::string inverse_real_fft2_cuda_lines_refuses(const op::InverseRealFft2& op, const Shapes& in);
std::string inverse_real_fft2_cuda_patch8_refuses(const op::InverseRealFft2& op, const Shapes& in);
double inverse_real_fft2_cuda_naive_seconds(const op::InverseRealFft2& op, const Shapes& in);
double inverse_real_fft2_cuda_lines_seconds(const op::InverseRealFft2& op, const Shapes& in);
void inverse_real_fft2_cuda_naive(const op::InverseRealFft2& op, View<const float> x, View<float> y,
                                  Scratch scratch);
void inverse_real_fft2_cuda_lines(const op::InverseRealFft2& op, View<const float> x, View<float> y,
                                  Scratch scratch);
void inverse_real_fft2_cuda_patch8(const op::InverseRealFft2& op, View<const float> x,
                                   View<float> y, Scratch scratch);

}  // namespace mend
