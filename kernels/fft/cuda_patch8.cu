// Transforms of 8 x 8 patches, one patch of one channel a thread: 64 numbers are read, transformed along rows and
// columns in registers, and 80 are written. Neighbouring threads have neighbouring channels. One read and one write,
// no shared memory; 64 loads of a thread are under way at once.
//
// Two real rows are one complex line. Of the spectrum of a real row the columns 0 and 4 are real: they are one complex
// column, which comes apart behind its transform, so that 4 columns are transformed and not 5.
#include "engine/cuda/check.h"
#include "kernels/cuda/divide.cuh"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/fft/cuda.h"
#include "kernels/fft/cuda_complex.cuh"

namespace mend {
namespace {

using namespace fft;

constexpr int kPatch = 8, kColumns = kPatch / 2 + 1, kThreads = 128;

/// The patches of one image, channels first.
struct Patches {
  int count;  ///< times channels
  FastDivider channels, across;

  Patches(const Shape& image)
      : count(image.h / kPatch * (image.w / kPatch) * image.c),
        channels(image.c),
        across(image.w / kPatch) {}
};

struct PatchPlace {
  int i, j, c;
  bool is_there;

  __device__ PatchPlace(const Patches& patches) {
    const int index = blockIdx.x * kThreads + threadIdx.x;
    is_there = index < patches.count;
    const auto [patch, channel] = patches.channels(index);
    const auto [row, column] = patches.across(patch);
    i = row;
    j = column;
    c = channel;
  }
};

__global__ void __launch_bounds__(kThreads)
    transform_patches(Patches patches, View<const float> x, View<float> y, bool aligned,
                      float scale) {
  const PatchPlace place(patches);
  if (!place.is_there) return;
  const float* from = pixel_of(x, blockIdx.y, place.i * kPatch, place.j * kPatch) + place.c;
  float2 rows[kPatch / 2][kPatch];  // of pairs of rows
#pragma unroll
  for (int h = 0; h < kPatch; h += 2) {
#pragma unroll
    for (int w = 0; w < kPatch; ++w) {
      const float* pixel = from + h * x.h_stride + w * x.w_stride;
      rows[h / 2][w] = {pixel[0], pixel[x.h_stride]};
    }
  }
  float2 columns[kPatch / 2][kPatch];  // column 0 and 4, then 1, 2, 3
#pragma unroll
  for (int h = 0; h < kPatch; h += 2) {
    transform8(rows[h / 2]);
    const float2 first = rows[h / 2][0], middle = rows[h / 2][kPatch / 2];
    columns[0][h] = {first.x, middle.x};
    columns[0][h + 1] = {first.y, middle.y};
#pragma unroll
    for (int l = 1; l < kPatch / 2; ++l) {
      const TwoSpectra spectra(rows[h / 2][l], rows[h / 2][kPatch - l]);
      columns[l][h] = spectra.a;
      columns[l][h + 1] = spectra.b;
    }
  }
  float* to = pixel_of(y, blockIdx.y, place.i * kPatch, place.j * kColumns) + 2 * place.c;
  const auto store = [&](int k, int l, float2 number) {
    store_pair(to + k * y.h_stride + l * y.w_stride, {scale * number.x, scale * number.y}, aligned);
  };
#pragma unroll
  for (int l = 0; l < kPatch / 2; ++l) transform8(columns[l]);
#pragma unroll
  for (int k = 0; k < kPatch; ++k) {
    const TwoSpectra spectra(columns[0][k], columns[0][(kPatch - k) % kPatch]);
    store(k, 0, spectra.a);
#pragma unroll
    for (int l = 1; l < kPatch / 2; ++l) store(k, l, columns[l][k]);
    store(k, kPatch / 2, spectra.b);
  }
}

__global__ void __launch_bounds__(kThreads)
    invert_patches(Patches patches, View<const float> x, View<float> y, bool aligned, float scale) {
  const PatchPlace place(patches);
  if (!place.is_there) return;
  const float* from = pixel_of(x, blockIdx.y, place.i * kPatch, place.j * kColumns) + 2 * place.c;
  const auto load = [&](int k, int l) {
    return load_pair(from + k * x.h_stride + l * x.w_stride, aligned);
  };
  float2 columns[kPatch / 2][kPatch];  // real and imaginary part exchanged; 0 and 4 are one
#pragma unroll
  for (int l = 1; l < kPatch / 2; ++l) {
#pragma unroll
    for (int k = 0; k < kPatch; ++k) columns[l][k] = exchanged(load(k, l));
  }
  {
    // Only the real parts of their inverses count: those of their even parts, (X[k] + X*[−k])/2.
    float2 first[kPatch], middle[kPatch];
#pragma unroll
    for (int k = 0; k < kPatch; ++k) {
      first[k] = load(k, 0);
      middle[k] = load(k, kPatch / 2);
    }
#pragma unroll
    for (int k = 0; k < kPatch; ++k) {
      const int behind = (kPatch - k) % kPatch;
      const float2 a{0.5f * (first[k].x + first[behind].x), 0.5f * (first[k].y - first[behind].y)};
      const float2 b{0.5f * (middle[k].x + middle[behind].x),
                     0.5f * (middle[k].y - middle[behind].y)};
      columns[0][k] = exchanged(joined(a, b));
    }
  }
#pragma unroll
  for (int l = 0; l < kPatch / 2; ++l) transform8(columns[l]);
  float* to = pixel_of(y, blockIdx.y, place.i * kPatch, place.j * kPatch) + place.c;
#pragma unroll
  for (int h = 0; h < kPatch; h += 2) {
    float2 line[kPatch];
    const float2 a = exchanged(columns[0][h]), b = exchanged(columns[0][h + 1]);
    line[0] = exchanged({a.x, b.x});
    line[kPatch / 2] = exchanged({a.y, b.y});
#pragma unroll
    for (int l = 1; l < kPatch / 2; ++l) {
      const float2 of_a = exchanged(columns[l][h]), of_b = exchanged(columns[l][h + 1]);
      line[l] = exchanged(joined(of_a, of_b));
      line[kPatch - l] = exchanged(joined_conjugates(of_a, of_b));
    }
    transform8(line);
#pragma unroll
    for (int w = 0; w < kPatch; ++w) {
      float* pixel = to + h * y.h_stride + w * y.w_stride;
      pixel[0] = scale * line[w].y;
      pixel[y.h_stride] = scale * line[w].x;
    }
  }
}

/// Whether complex numbers start at multiples of 8 bytes.
template <class T>
bool holds_pairs(const View<T>& view) {
  return reinterpret_cast<std::uintptr_t>(view.data) % 8 == 0 && view.w_stride % 2 == 0 &&
         view.h_stride % 2 == 0 && view.n_stride % 2 == 0;
}

}  // namespace

void launch_fft_patch8(const View<const float>& x, const View<float>& y, float scale,
                       cudaStream_t stream) {
  const Patches patches(x.shape);
  const dim3 blocks(divide_up(patches.count, kThreads), x.shape.n);
  transform_patches<<<blocks, kThreads, 0, stream>>>(patches, x, y, holds_pairs(y), scale);
  cuda_check(cudaGetLastError(), "real_fft2/cuda_patch8");
}

void launch_inverse_fft_patch8(const View<const float>& x, const View<float>& y, float scale,
                               cudaStream_t stream) {
  const Patches patches(y.shape);
  const dim3 blocks(divide_up(patches.count, kThreads), y.shape.n);
  invert_patches<<<blocks, kThreads, 0, stream>>>(patches, x, y, holds_pairs(x), scale);
  cuda_check(cudaGetLastError(), "inverse_real_fft2/cuda_patch8");
}

}  // namespace mend
