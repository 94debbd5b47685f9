// Sums over the pixels of images, for statistics: Σd and Σd² of the numbers' distances d from one of them, the
// first. A variance from these is exact where Σx² would have lost it to a large mean.
//
// One read of x, whatever C is. A block has some pixels and up to 1024 channels of an image: neighbouring
// threads have neighbouring channels, and eight loads under way each, whose distances are added up in f32;
// beyond that all is double. What a block has of each group of channels is one row of `parts`, which a
// second kernel adds up. The order depends on the shapes and strides alone, so the bits are the same on
// every run and every GPU.
#pragma once

#include "engine/tensor.h"
#include "kernels/cuda/walk.cuh"

namespace mend {

/// Of one group of channels of one image.
struct alignas(16) DistanceSums {
  double sum, squares;
};

__device__ inline DistanceSums sum_of_warp(DistanceSums sums) {
#pragma unroll
  for (int other = 16; other > 0; other /= 2) {
    sums.sum += __shfl_xor_sync(0xFFFFFFFFu, sums.sum, other);
    sums.squares += __shfl_xor_sync(0xFFFFFFFFu, sums.squares, other);
  }
  return sums;
}

/// What the second kernel reads.
template <class T>
struct ImageSums {
  const DistanceSums* parts;  ///< [image][row][group]
  const T* first;             ///< where x's first pixel lies, and how far the next image's is
  std::int64_t image_stride;
  int images, rows, groups, width;  ///< width: channels of a group
  double count;                     ///< numbers of a group

  struct Moments {
    double mean, variance;
  };
  /// Adds up the parts of a group; all lanes of a warp have the result.
  __device__ DistanceSums sums(int image, int group, int lane) const {
    DistanceSums total{0, 0};
#pragma unroll 4
    for (int row = lane; row < rows; row += 32) {
      const DistanceSums part = parts[(std::int64_t{image} * rows + row) * groups + group];
      total.sum += part.sum;
      total.squares += part.squares;
    }
    return sum_of_warp(total);
  }
  /// The variance is that of all numbers; times count / (count − 1) it is unbiased.
  __device__ Moments moments(int image, int group, int lane) const {
    const DistanceSums total = sums(image, group, lane);
    const double distance = total.sum / count;
    const double variance = total.squares / count - distance * distance;
    const double about = as_float(first[image * image_stride + group * width]);
    return {about + distance, variance > 0 ? variance : 0};
  }
};

/// Launches the first kernel, on images of f32, f16 or bf16. The parts live as long as `memory`.
/// as_one: all images are one.
template <class T>
ImageSums<T> launch_image_sums(const View<const T>& x, int groups, bool as_one, Tensor& memory);
/// Σx² in place of the distances' squares.
ImageSums<float> launch_image_squares(const View<const float>& x, Tensor& memory);

}  // namespace mend
