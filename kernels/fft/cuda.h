// The entry points of the Fourier transforms' CUDA kernels.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/tensor.h"

namespace mend {

/// Which of the four one-dimensional passes: of real rows to half spectra, of the columns of half spectra, and back.
enum class FftPass { kRows, kColumns, kInverseColumns, kInverseRows };

/// Where lines lie in a tensor, in elements: number (n, i, j) starts at n · image + i · down + j · across, and its
/// elements are `step` apart.
struct FftPlaces {
  std::int64_t image, down, across, step;
};

/// One pass over all lines of N images. Lines are numbered (n, i, j), with i < down and j < across.
struct FftCall {
  FftPass pass;
  int length;  ///< of a line
  int images, down, across;
  int channels;  ///< of the real image
  const float* x;
  FftPlaces from;
  float* y;
  FftPlaces to;
  float scale;
  const float* roots;  ///< exp(−2πi·k/length), k < length, on the GPU
};

/// The longest line that fits into the shared memory of every GPU, twice.
constexpr int kMostFftLine = 4096;
/// Primes up to here are a stage of a line's transform.
constexpr int kMostFftPrime = 89;

/// The sum for every number of the result, in double.
void launch_fft_naive(const FftCall& call, cudaStream_t stream);
/// Lines in shared memory.
void launch_fft_lines(const FftCall& call, cudaStream_t stream);

/// Patches of 8 x 8 pixels, from x to their spectra in y, and back.
void launch_fft_patch8(const View<const float>& x, const View<float>& y, float scale,
                       cudaStream_t stream);
void launch_inverse_fft_patch8(const View<const float>& x, const View<float>& y, float scale,
                               cudaStream_t stream);

/// y = x · z, or x · z*: op::ComplexMultiply.
void launch_complex_multiply(bool conjugate, const View<const float>& x, const View<const float>& z,
                             const View<float>& y, cudaStream_t stream);
/// op::SpectralGain.
void launch_spectral_gain(const View<const float>& x, const View<const float>& gain,
                          const View<float>& y, cudaStream_t stream);
/// op::SumRepeats.
void launch_sum_repeats(bool pairs, const View<const float>& x, const View<float>& y,
                        cudaStream_t stream);

}  // namespace mend
