// What both rungs of channel attention have on a GPU: pixels by number, and softmax of a row of scores.
#pragma once

#include "kernels/cuda/divide.cuh"
#include "kernels/cuda/element.cuh"

namespace mend::channel_attention {

constexpr int kLanes = 32;
constexpr unsigned kAll = 0xffffffffu;
constexpr float kShortest = 1e-12f;  ///< a column's length, at least

/// Where the pixels of an image start, by their number.
struct Pixels {
  explicit Pixels(const Shape& image) : count(image.h * image.w), by_width(image.w) {}

  template <class T>
  __device__ T* operator()(const View<T>& view, int n, int pixel) const {
    const auto [h, w] = by_width(pixel);
    return pixel_of(view, n, h, w);
  }

  int count;
  FastDivider by_width;
};

/// Calls weight(j, w) with the softmax of score(0), ..., score(count - 1), a lane every 32nd of them.
template <class Score, class Weight>
__device__ void softmax_of_row(int count, const Score& score, const Weight& weight) {
  const int lane = threadIdx.x % kLanes;
  float largest = -INFINITY, sum = 0;
  for (int j = lane; j < count; j += kLanes) largest = fmaxf(largest, score(j));
  for (int apart = kLanes / 2; apart > 0; apart /= 2)
    largest = fmaxf(largest, __shfl_xor_sync(kAll, largest, apart));
  for (int j = lane; j < count; j += kLanes) sum += expf(score(j) - largest);
  for (int apart = kLanes / 2; apart > 0; apart /= 2) sum += __shfl_xor_sync(kAll, sum, apart);
  for (int j = lane; j < count; j += kLanes) weight(j, expf(score(j) - largest) / sum);
}

}  // namespace mend::channel_attention
