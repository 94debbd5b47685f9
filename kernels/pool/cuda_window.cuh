// The windows of poolings, and what is made of their numbers, in device code.
#pragma once

#include <cmath>

#include "kernels/cuda/element.cuh"
#include "kernels/pool/kind.h"

namespace mend {

/// Rows (or columns) [first, last) of an image.
struct PoolSpan {
  int first, last;
};

struct PoolWindows {
  /// Of 256 threads, for which a multiprocessor must have registers; 0: ptxas decides.
  static constexpr int kBlocks = 0;
  int kernel, stride, padding;

  __device__ PoolSpan operator()(int p, int, int extent) const {
    const int first = p * stride - padding;
    return {max(first, 0), min(first + kernel, extent)};
  }
  __device__ float pixels(PoolSpan, PoolSpan) const { return static_cast<float>(kernel) * kernel; }
  /// The windows that row h lies in.
  __device__ PoolSpan covering(int h, int windows, int) const {
    const int first = h + padding - kernel + stride;  // times stride, rounded up
    return {max(first, 0) / stride, min((h + padding) / stride + 1, windows)};
  }
  /// Rows of a window, at most.
  int most_rows(int, int) const { return kernel; }
};

struct AdaptiveWindows {
  static constexpr int kBlocks = 4;  ///< 64-bit divisions take more registers

  __device__ PoolSpan operator()(int p, int windows, int extent) const {
    const std::int64_t first = std::int64_t{p} * extent / windows;
    const std::int64_t last = (std::int64_t{p + 1} * extent + windows - 1) / windows;
    return {static_cast<int>(first), static_cast<int>(last)};
  }
  __device__ float pixels(PoolSpan rows, PoolSpan columns) const {
    return static_cast<float>(rows.last - rows.first) * (columns.last - columns.first);
  }
  __device__ PoolSpan covering(int h, int windows, int extent) const {
    const std::int64_t first = std::int64_t{h} * windows / extent;
    const std::int64_t last = (std::int64_t{h + 1} * windows + extent - 1) / extent;
    return {static_cast<int>(first), static_cast<int>(last)};
  }
  int most_rows(int windows, int extent) const { return extent / windows + 2; }
};

/// A NaN stays.
struct Largest {
  static constexpr float kNothing = -INFINITY;
  template <class Number>
  __device__ static Number with(Number largest, Number value) {
    return value > largest || value != value ? value : largest;
  }
};
struct Sum {
  static constexpr float kNothing = 0;
  template <class Number>
  __device__ static Number with(Number sum, Number value) {
    return sum + value;
  }
};

}  // namespace mend
