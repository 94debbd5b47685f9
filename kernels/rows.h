// Walking over the pixels of views that may be channel slices: work is dealt out in runs, pieces of
// one row of pixels, so a kernel sees a pointer, a stride and a count and nothing of n, h and w.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "engine/parallel.h"
#include "engine/shape.h"

namespace mend {

/// The pixels (n, h, w) to (n, h, w + count - 1).
struct Run {
  int n = 0, h = 0, w = 0, count = 0;
};

/// Calls body(run) on all threads, so that every pixel of `shape` is in exactly one run. Rows longer
/// than a few thousand numbers are cut: a matrix is one row, and it too should use all threads.
template <class Body>
void for_each_run(const Shape& shape, const Body& body) {
  constexpr int kRunFloats = 8192;  // 32 kB: small beside L2, large beside the cost of a task
  const int run = std::max(1, kRunFloats / shape.c);
  const int runs_per_row = (shape.w + run - 1) / run;
  parallel_for(std::int64_t{shape.n} * shape.h * runs_per_row, [&](std::int64_t task, int) {
    const std::int64_t row = task / runs_per_row;
    const int w = static_cast<int>(task % runs_per_row) * run;
    body(Run{static_cast<int>(row / shape.h), static_cast<int>(row % shape.h), w,
             std::min(run, shape.w - w)});
  });
}

/// Copies `count` pixels of `channels` numbers; the strides are the distances between pixels.
template <class T>
void copy_run(const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride, int count,
              int channels) {
  if (from_stride == channels && to_stride == channels) {
    std::memcpy(to, from, sizeof(T) * static_cast<std::size_t>(count) * channels);
    return;
  }
  for (int w = 0; w < count; ++w) {
    std::copy_n(from + w * from_stride, channels, to + w * to_stride);
  }
}

/// Sets `count` pixels of `channels` numbers to `value`.
inline void fill_run(float value, float* to, std::int64_t to_stride, int count, int channels) {
  for (int w = 0; w < count; ++w) std::fill_n(to + w * to_stride, channels, value);
}

}  // namespace mend
