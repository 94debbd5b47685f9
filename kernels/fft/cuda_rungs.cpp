// The host's side of the CUDA rungs: tables, what they refuse, their modelled time, and from a transform to its passes.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <vector>

#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/cuda_kept_tables.h"
#include "kernels/cuda/machine.h"
#include "kernels/fft/cuda.h"
#include "kernels/fft/rungs.h"
#include "kernels/fft/spectrum_rungs.h"

namespace mend {
namespace {

/// exp(−2πi·k/length), on the GPU.
Tensor roots_of_unity(int length) {
  return kept_table(fmt::format("roots of unity {}", length), [&] {
    std::vector<float> roots;
    for (int k = 0; k < length; ++k) {
      const double angle = -2 * std::numbers::pi * k / length;
      roots.push_back(static_cast<float>(std::cos(angle)));
      roots.push_back(static_cast<float>(std::sin(angle)));
    }
    const auto bytes = std::as_bytes(std::span(roots));
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  });
}

/// Windows of one size: the whole images, or their patches.
struct Windows {
  Windows(const Shape& image, int patch)
      : images(image.n),
        height(patch > 0 ? patch : image.h),
        width(patch > 0 ? patch : image.w),
        down(image.h / height),
        across(image.w / width),
        channels(image.c) {}

  int columns() const { return width / 2 + 1; }

  int images, height, width, down, across, channels;
};

/// The rows of all windows, each as wide as `width` pixels of the view.
template <class T>
FftPlaces rows_of(const View<T>& view, int width) {
  return {view.n_stride, view.h_stride, width * view.w_stride, view.w_stride};
}
/// Their columns.
template <class T>
FftPlaces columns_of(const View<T>& view, int height) {
  return {view.n_stride, height * view.h_stride, view.w_stride, view.h_stride};
}

using Launch = void (*)(const FftCall& call, cudaStream_t stream);

/// x real rows, y half spectra (or the other way round).
void run_rows(Launch launch, const Windows& windows, View<const float> x, View<float> y,
              bool inverse, float scale) {
  const Tensor roots = roots_of_unity(windows.width);
  const int from = inverse ? windows.columns() : windows.width;
  const int to = inverse ? windows.width : windows.columns();
  launch({inverse ? FftPass::kInverseRows : FftPass::kRows, windows.width, windows.images,
          windows.height * windows.down, windows.across, windows.channels, x.data, rows_of(x, from),
          y.data, rows_of(y, to), scale, reinterpret_cast<const float*>(roots.storage()->data())},
         current_cuda_device().stream());
}

/// Both half spectra.
void run_columns(Launch launch, const Windows& windows, View<const float> x, View<float> y,
                 bool inverse, float scale) {
  const Tensor roots = roots_of_unity(windows.height);
  launch({inverse ? FftPass::kInverseColumns : FftPass::kColumns, windows.height, windows.images,
          windows.down, windows.across * windows.columns(), windows.channels, x.data,
          columns_of(x, windows.height), y.data, columns_of(y, windows.height), scale,
          reinterpret_cast<const float*>(roots.storage()->data())},
         current_cuda_device().stream());
}

/// Working memory for half spectra, with an even number of channels: a thread moves two.
struct HalfSpectra {
  explicit HalfSpectra(const Shape& spectrum)
      : memory(Tensor::empty({spectrum.n, spectrum.h, spectrum.w, (spectrum.c + 3) / 4 * 4},
                             DType::kF32, current_cuda_device())),
        view(memory.channels(0, spectrum.c).view<float>()) {}

  Tensor memory;
  View<float> view;
};

float scale_of(FftNorm norm, bool inverse, const Windows& windows) {
  return static_cast<float>(fft_scale(norm, inverse, windows.height, windows.width));
}

/// The largest prime that divides `length`.
int largest_prime(int length) {
  int largest = 1;
  for (int prime = 2; length > 1; ++prime) {
    for (; length % prime == 0; length /= prime) largest = prime;
  }
  return largest;
}

std::string lines_refuse(const Shape& image, int patch) {
  const Windows windows(image, patch);
  for (const int length : {windows.height, windows.width}) {
    if (length > kMostFftLine) return fmt::format("needs lines of up to {}", kMostFftLine);
    if (largest_prime(length) > kMostFftPrime) {
      return fmt::format("needs lengths without primes above {}", kMostFftPrime);
    }
  }
  return {};
}

/// Four multiplications in double for each number of a line, rows and columns; half of the rate of f32.
double naive_seconds(const Shape& image, const Cost& cost, int patch) {
  const Windows windows(image, patch);
  return 8.0 * static_cast<double>(image.elements()) * (windows.height + windows.width) * 2 /
             NominalGpu::kFlopsPerSecond +
         2 * cost.bytes / NominalGpu::kBytesPerSecond;
}

}  // namespace

std::string real_fft2_cuda_lines_refuses(const op::RealFft2& op, const Shapes& in) {
  return lines_refuse(in[0], op.patch);
}
std::string inverse_real_fft2_cuda_lines_refuses(const op::InverseRealFft2& op, const Shapes& in) {
  return lines_refuse(op.shape(in), op.patch);
}
std::string real_fft2_cuda_patch8_refuses(const op::RealFft2& op, const Shapes&) {
  return op.patch == 8 ? "" : "needs patches of 8 x 8";
}
std::string inverse_real_fft2_cuda_patch8_refuses(const op::InverseRealFft2& op, const Shapes&) {
  return op.patch == 8 ? "" : "needs patches of 8 x 8";
}

double real_fft2_cuda_naive_seconds(const op::RealFft2& op, const Shapes& in) {
  return naive_seconds(in[0], op.cost(in), op.patch);
}
double inverse_real_fft2_cuda_naive_seconds(const op::InverseRealFft2& op, const Shapes& in) {
  return naive_seconds(op.shape(in), op.cost(in), op.patch);
}
/// Image and spectrum cross the memory twice.
double real_fft2_cuda_lines_seconds(const op::RealFft2& op, const Shapes& in) {
  return 2 * op.cost(in).bytes / NominalGpu::kBytesPerSecond;
}
double inverse_real_fft2_cuda_lines_seconds(const op::InverseRealFft2& op, const Shapes& in) {
  return 2 * op.cost(in).bytes / NominalGpu::kBytesPerSecond;
}

void real_fft2_cuda_naive(const op::RealFft2& op, View<const float> x, View<float> y, Scratch) {
  const Windows windows(x.shape, op.patch);
  const HalfSpectra rows(y.shape);
  run_rows(launch_fft_naive, windows, x, rows.view, false, 1);
  run_columns(launch_fft_naive, windows, rows.view, y, false, scale_of(op.norm, false, windows));
}
void real_fft2_cuda_lines(const op::RealFft2& op, View<const float> x, View<float> y, Scratch) {
  const Windows windows(x.shape, op.patch);
  run_rows(launch_fft_lines, windows, x, y, false, 1);
  run_columns(launch_fft_lines, windows, y, y, false, scale_of(op.norm, false, windows));
}
void real_fft2_cuda_patch8(const op::RealFft2& op, View<const float> x, View<float> y, Scratch) {
  launch_fft_patch8(x, y, scale_of(op.norm, false, Windows(x.shape, op.patch)),
                    current_cuda_device().stream());
}

void inverse_real_fft2_cuda_naive(const op::InverseRealFft2& op, View<const float> x, View<float> y,
                                  Scratch) {
  const Windows windows(y.shape, op.patch);
  const HalfSpectra columns(x.shape);
  run_columns(launch_fft_naive, windows, x, columns.view, true, 1);
  run_rows(launch_fft_naive, windows, columns.view, y, true, scale_of(op.norm, true, windows));
}
void inverse_real_fft2_cuda_lines(const op::InverseRealFft2& op, View<const float> x, View<float> y,
                                  Scratch) {
  const Windows windows(y.shape, op.patch);
  const HalfSpectra columns(x.shape);
  run_columns(launch_fft_lines, windows, x, columns.view, true, 1);
  run_rows(launch_fft_lines, windows, columns.view, y, true, scale_of(op.norm, true, windows));
}
void inverse_real_fft2_cuda_patch8(const op::InverseRealFft2& op, View<const float> x,
                                   View<float> y, Scratch) {
  launch_inverse_fft_patch8(x, y, scale_of(op.norm, true, Windows(y.shape, op.patch)),
                            current_cuda_device().stream());
}

void complex_multiply_cuda(const op::ComplexMultiply& op, View<const float> x, View<const float> z,
                           View<float> y) {
  launch_complex_multiply(op.conjugate_b, x, z, y, current_cuda_device().stream());
}
void spectral_gain_cuda(const op::SpectralGain&, View<const float> x, View<const float> gain,
                        View<float> y) {
  launch_spectral_gain(x, gain, y, current_cuda_device().stream());
}
void sum_repeats_cuda(const op::SumRepeats& op, View<const float> x, View<float> y) {
  launch_sum_repeats(op.pairs, x, y, current_cuda_device().stream());
}

}  // namespace mend
