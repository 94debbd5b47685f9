// Products of spectra, and the sum over repetitions that is the gradient of one.
//
// Products are bound by memory: a thread has two complex numbers, 16 bytes, where all views allow it, else one; a
// filter that repeats comes from the caches.
#include <cstdint>

#include "engine/cuda/check.h"
#include "kernels/cuda/divide.cuh"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/units.cuh"
#include "kernels/fft/cuda.h"
#include "kernels/fft/cuda_complex.cuh"

namespace mend {
namespace {

using namespace fft;

constexpr int kThreads = 256;

/// A tensor that stands again and again over another.
struct Repeated {
  View<const float> z;
  FastDivider n, h, w;

  explicit Repeated(const View<const float>& z) : z(z), n(z.shape.n), h(z.shape.h), w(z.shape.w) {}
  __device__ const float* pixel(const Place& at) const {
    return pixel_of(z, n(at.n).remainder, h(at.h).remainder, w(at.w).remainder);
  }
};

struct TimesSpectrum {
  Repeated z;
  float sign;  ///< −1 for the conjugate of z
  bool aligned;

  /// The number at channels c and c + 1.
  __device__ float2 operator()(float2 x, const float* pixel, int c) const {
    const float2 by = load_pair(pixel + c, aligned);
    return multiply(x, {by.x, sign * by.y});
  }
};
struct TimesGain {
  Repeated z;

  __device__ float2 operator()(float2 x, const float* pixel, int c) const {
    const float gain = pixel[c / 2];
    return {x.x * gain, x.y * gain};
  }
};

/// kNumbers: complex ones of a thread.
template <int kNumbers, class Product>
__global__ void __launch_bounds__(kThreads)
    multiply_spectra(Product product, View<const float> x, View<float> y, UnitsOf units,
                     int first_image) {
  const std::int64_t unit = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (unit >= units.count) return;
  const Place at = units.place<2 * kNumbers>(static_cast<int>(unit), first_image);
  const float* from = pixel_of(x, at.n, at.h, at.w) + at.c;
  float* to = pixel_of(y, at.n, at.h, at.w) + at.c;
  const float* pixel = product.z.pixel(at);
  if constexpr (kNumbers == 2) {
    const float4 both = *reinterpret_cast<const float4*>(from);
    const float2 a = product({both.x, both.y}, pixel, at.c);
    const float2 b = product({both.z, both.w}, pixel, at.c + 2);
    *reinterpret_cast<float4*>(to) = {a.x, a.y, b.x, b.y};
  } else {
    store_pair(to, product(load_pair(from, false), pixel, at.c), false);
  }
}

template <class Product>
void launch_product(const Product& product, bool aligned, const View<const float>& x,
                    const View<float>& y, const char* name, cudaStream_t stream) {
  const bool wide = aligned && packs(x) && packs(y) && y.shape.c % 4 == 0;
  for_each_launch(y.shape, wide ? 4 : 2, kThreads, [&](unsigned blocks, UnitsOf units, int first) {
    const auto run = wide ? multiply_spectra<2, Product> : multiply_spectra<1, Product>;
    run<<<blocks, kThreads, 0, stream>>>(product, x, y, units, first);
    cuda_check(cudaGetLastError(), name);
  });
}

constexpr int kWarp = 32, kParts = 16;

/// Block (j, pixel of y): channels [32·j, 32·j + 32); each warp has every 16th repetition.
template <bool kPairs>
__global__ void __launch_bounds__(kWarp* kParts)
    sum_repeats(View<const float> x, View<float> y, FastDivider width, FastDivider height,
                FastDivider across, FastDivider down, int repeats) {
  __shared__ double sums[kParts][kWarp];
  const int lane = threadIdx.x % kWarp, part = threadIdx.x / kWarp;
  const int c = blockIdx.y * kWarp + lane;
  const auto [row, w] = width(blockIdx.x);
  const auto [n, h] = height(row);
  double sum = 0;
  if (c < y.shape.c) {
#pragma unroll 4
    for (int repeat = part; repeat < repeats; repeat += kParts) {
      const auto [rows, j] = across(repeat);
      const auto [image, i] = down(rows);
      const float* from = pixel_of(x, image * y.shape.n + n, i * y.shape.h + h, j * y.shape.w + w);
      sum += kPairs ? double{from[2 * c]} + from[2 * c + 1] : double{from[c]};
    }
  }
  sums[part][lane] = sum;
  __syncthreads();
  if (part != 0 || c >= y.shape.c) return;
#pragma unroll
  for (int other = 1; other < kParts; ++other) sum += sums[other][lane];
  pixel_of(y, n, h, w)[c] = static_cast<float>(sum);
}

}  // namespace

void launch_complex_multiply(bool conjugate, const View<const float>& x, const View<const float>& z,
                             const View<float>& y, cudaStream_t stream) {
  const bool aligned = packs(z);
  launch_product(TimesSpectrum{Repeated(z), conjugate ? -1.0f : 1.0f, aligned}, aligned, x, y,
                 "complex_multiply/cuda", stream);
}

void launch_spectral_gain(const View<const float>& x, const View<const float>& gain,
                          const View<float>& y, cudaStream_t stream) {
  launch_product(TimesGain{Repeated(gain)}, true, x, y, "spectral_gain/cuda", stream);
}

void launch_sum_repeats(bool pairs, const View<const float>& x, const View<float>& y,
                        cudaStream_t stream) {
  const Shape &from = x.shape, &to = y.shape;
  const int across = from.w / to.w, down = from.h / to.h, repeats = across * down * (from.n / to.n);
  const dim3 blocks(to.n * to.h * to.w, divide_up(to.c, kWarp));
  const auto run = pairs ? sum_repeats<true> : sum_repeats<false>;
  run<<<blocks, kWarp * kParts, 0, stream>>>(x, y, FastDivider(to.w), FastDivider(to.h),
                                             FastDivider(across), FastDivider(down), repeats);
  cuda_check(cudaGetLastError(), "sum_repeats/cuda");
}

}  // namespace mend
