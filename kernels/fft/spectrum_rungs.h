// The rungs of the ladders of kernels/fft/spectrum.h.
#pragma once

#include "kernels/fft/gradient.h"
#include "kernels/fft/spectrum.h"

namespace mend {

void complex_multiply_reference(const op::ComplexMultiply& op, View<const float> x,
                                View<const float> z, View<float> y);
void complex_multiply_simd(const op::ComplexMultiply& op, View<const float> x, View<const float> z,
                           View<float> y);
void spectral_gain_reference(const op::SpectralGain& op, View<const float> x,
                             View<const float> gain, View<float> y);
void spectral_gain_simd(const op::SpectralGain& op, View<const float> x, View<const float> gain,
                        View<float> y);

// On the GPU.
void complex_multiply_cuda(const op::ComplexMultiply& op, View<const float> x, View<const float> z,
                           View<float> y);
void spectral_gain_cuda(const op::SpectralGain& op, View<const float> x, View<const float> gain,
                        View<float> y);
void sum_repeats_cuda(const op::SumRepeats& op, View<const float> x, View<float> y);

}  // namespace mend
