// Neighbouring channels of a pixel: what a lane holds of an mma's sums. A quad of lanes has 8 of f32 or 16 of 16
// bits, one sector of 32 bytes.
#pragma once

#include <cstdint>

#include "engine/tensor.h"
#include "kernels/cuda/element.cuh"

namespace mend {

/// As many as a lane has side by side.
template <class T, int kCount>
struct alignas(sizeof(T) * kCount) Run {
  T values[kCount];
};

/// Whether every pixel of `view` starts at a multiple of a Run's bytes.
template <int kCount, class T>
bool runs(const View<T>& view) {
  return reinterpret_cast<std::uintptr_t>(view.data) % (kCount * sizeof(T)) == 0 &&
         view.w_stride % kCount == 0 && view.h_stride % kCount == 0 && view.n_stride % kCount == 0;
}

/// The first `count` of them; all at once where `whole`.
template <class T, int kCount>
__device__ Run<T, kCount> load_run(const T* from, bool whole, int count) {
  if (whole) return *reinterpret_cast<const Run<T, kCount>*>(from);
  Run<T, kCount> run{};
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    if (i < count) run.values[i] = from[i];
  }
  return run;
}
template <class T, int kCount>
__device__ void store_run(T* to, const Run<T, kCount>& run, bool whole, int count) {
  if (whole) {
    *reinterpret_cast<Run<T, kCount>*>(to) = run;
    return;
  }
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    if (i < count) to[i] = run.values[i];
  }
}

/// In f32, and back. A copy, for a run in memory is read at once only as a whole.
template <class T, int kCount>
__device__ Run<float, kCount> as_floats(Run<T, kCount> run) {
  Run<float, kCount> floats;
#pragma unroll
  for (int i = 0; i < kCount; ++i) floats.values[i] = as_float(run.values[i]);
  return floats;
}
template <class T, int kCount>
__device__ Run<T, kCount> from_floats(const Run<float, kCount>& floats) {
  Run<T, kCount> run;
#pragma unroll
  for (int i = 0; i < kCount; ++i) run.values[i] = from_float<T>(floats.values[i]);
  return run;
}

}  // namespace mend
