// The code look-up and its gradient.
//
// The logits are almost all of the traffic: CodeFormer has 1024 of them for 256 channels. One pixel a thread reads
// them with a stride of a pixel, a sector for each number. One pixel a warp reads 32 side by side; each lane keeps
// the first of its largest, then the lanes compare theirs. The code is copied by the same lanes.
//
// The gradient scatters: many pixels may have taken one code. Each pixel's choice is noted, and a block for each code
// and 32 channels goes through the notes in the order of the pixels, so that the bits are the same on every run.
// The notes are read once for each code, K · pixels numbers: 1 MB from L2 for a face of 256 pixels and 1024 codes.
#include <cstdint>

#include "engine/cuda/check.h"
#include "engine/cuda/cuda_device.h"
#include "kernels/code_lookup/cuda.h"
#include "kernels/cuda/divide.cuh"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/launch.h"

namespace mend {
namespace {

constexpr int kThreads = 256, kWarp = 32, kWarps = kThreads / kWarp;
constexpr int kNone = -1;  ///< the choice of a pixel that has a NaN

/// The pixels of a tensor, side by side.
struct Pixels {
  int count;
  FastDivider width, height;

  explicit Pixels(const Shape& s) : count(static_cast<int>(s.pixels())), width(s.w), height(s.h) {}
  template <class T>
  __device__ T* of(const View<T>& view, int pixel) const {
    const auto [row, w] = width(pixel);
    const auto [n, h] = height(row);
    return pixel_of(view, n, h, w);
  }
};

/// The largest number so far, and where it stands.
struct Largest {
  float value = -INFINITY;
  int index = 0x7FFFFFFF;
  bool has_nan = false;

  __device__ void meet(float other, int at) {
    has_nan |= isnan(other);
    if (other > value || (other == value && at < index)) {
      value = other;
      index = at;
    }
  }
  __device__ int taken() const { return has_nan ? kNone : index; }
};

/// Of `count` numbers, by a warp; all lanes know it then.
__device__ int first_largest(const float* numbers, int count) {
  Largest largest;
#pragma unroll 4
  for (int k = threadIdx.x % kWarp; k < count; k += kWarp) largest.meet(numbers[k], k);
  const bool has_nan = __any_sync(0xFFFFFFFFu, largest.has_nan);
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) {
    const float value = __shfl_xor_sync(0xFFFFFFFFu, largest.value, step);
    const int index = __shfl_xor_sync(0xFFFFFFFFu, largest.index, step);
    largest.meet(value, index);
  }
  return has_nan ? kNone : largest.index;
}

__global__ void __launch_bounds__(kThreads)
    look_up_naive(Pixels pixels, View<const float> logits, View<const float> codes, View<float> y) {
  const int pixel = blockIdx.x * kThreads + threadIdx.x;
  if (pixel >= pixels.count) return;
  const float* numbers = pixels.of(logits, pixel);
  Largest largest;
  for (int k = 0; k < logits.shape.c; ++k) largest.meet(numbers[k], k);
  const int taken = largest.taken();
  float* to = pixels.of(y, pixel);
  for (int c = 0; c < y.shape.c; ++c) {
    to[c] = taken == kNone ? NAN : codes.data[taken * codes.w_stride + c];
  }
}

__global__ void __launch_bounds__(kThreads)
    look_up_warp(Pixels pixels, View<const float> logits, View<const float> codes, View<float> y) {
  const int pixel = blockIdx.x * kWarps + threadIdx.x / kWarp;
  if (pixel >= pixels.count) return;
  const int taken = first_largest(pixels.of(logits, pixel), logits.shape.c);
  float* to = pixels.of(y, pixel);
  const float* from = codes.data + (taken == kNone ? 0 : taken) * codes.w_stride;
#pragma unroll 4
  for (int c = threadIdx.x % kWarp; c < y.shape.c; c += kWarp) {
    to[c] = taken == kNone ? NAN : from[c];
  }
}

__global__ void __launch_bounds__(kThreads)
    note_choices(Pixels pixels, View<const float> logits, int* choices) {
  const int pixel = blockIdx.x * kWarps + threadIdx.x / kWarp;
  if (pixel >= pixels.count) return;
  const int taken = first_largest(pixels.of(logits, pixel), logits.shape.c);
  if (threadIdx.x % kWarp == 0) choices[pixel] = taken;
}

/// Block (k, j): channels [32·j, 32·j + 32) of code k. Warp i looks at every eighth 32 pixels.
__global__ void __launch_bounds__(kThreads)
    sum_choices(Pixels pixels, const int* choices, View<const float> dy, View<float> y) {
  __shared__ double sums[kWarps][kWarp];
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const int code = blockIdx.x, c = blockIdx.y * kWarp + lane;
  double sum = 0;
  for (int first = warp * kWarp; first < pixels.count; first += kThreads) {
    const int pixel = first + lane;
    const bool mine = pixel < pixels.count && choices[pixel] == code;
    for (unsigned found = __ballot_sync(0xFFFFFFFFu, mine); found != 0; found &= found - 1) {
      const float* from = pixels.of(dy, first + __ffs(static_cast<int>(found)) - 1);
      if (c < y.shape.c) sum += from[c];
    }
  }
  sums[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || c >= y.shape.c) return;
#pragma unroll
  for (int other = 1; other < kWarps; ++other) sum += sums[other][lane];
  y.data[code * y.w_stride + c] = static_cast<float>(sum);
}

}  // namespace

void code_lookup_cuda_naive(View<const float> logits, View<const float> codes, View<float> y) {
  const Pixels pixels(y.shape);
  look_up_naive<<<divide_up(pixels.count, kThreads), kThreads, 0, current_cuda_device().stream()>>>(
      pixels, logits, codes, y);
  cuda_check(cudaGetLastError(), "code_lookup/cuda_naive");
}

void code_lookup_cuda_warp(View<const float> logits, View<const float> codes, View<float> y) {
  const Pixels pixels(y.shape);
  look_up_warp<<<divide_up(pixels.count, kWarps), kThreads, 0, current_cuda_device().stream()>>>(
      pixels, logits, codes, y);
  cuda_check(cudaGetLastError(), "code_lookup/cuda_warp");
}

void code_lookup_gradient_cuda(View<const float> logits, View<const float> dy, View<float> y) {
  CudaDevice& device = current_cuda_device();
  const Pixels pixels(dy.shape);
  const Tensor notes = Tensor::empty(vector_shape(pixels.count), DType::kF32, device);
  int* choices = reinterpret_cast<int*>(notes.storage()->data());
  note_choices<<<divide_up(pixels.count, kWarps), kThreads, 0, device.stream()>>>(pixels, logits,
                                                                                  choices);
  cuda_check(cudaGetLastError(), "code_lookup_gradient");
  const dim3 blocks(y.shape.w, divide_up(y.shape.c, kWarp));
  sum_choices<<<blocks, kThreads, 0, device.stream()>>>(pixels, choices, dy, y);
  cuda_check(cudaGetLastError(), "code_lookup_gradient");
}

}  // namespace mend
