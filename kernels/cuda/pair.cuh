// Two neighbouring channels of a pixel: what a lane holds of an mma's sums. A quad of lanes has 8, one sector of
// 32 bytes.
#pragma once

#include <cstdint>

#include "engine/tensor.h"

namespace mend {

/// Whether every pixel of `view` starts at a multiple of 8 bytes.
template <class T>
bool pairs(const View<T>& view) {
  return reinterpret_cast<std::uintptr_t>(view.data) % 8 == 0 && view.w_stride % 2 == 0 &&
         view.h_stride % 2 == 0 && view.n_stride % 2 == 0;
}

/// `both`: whether the second one is there.
__device__ inline float2 load_pair(const float* from, bool pairs, bool both) {
  if (pairs && both) return *reinterpret_cast<const float2*>(from);
  return {from[0], both ? from[1] : 0.0f};
}
__device__ inline void store_pair(float* to, float2 pair, bool pairs, bool both) {
  if (pairs && both) {
    *reinterpret_cast<float2*>(to) = pair;
    return;
  }
  to[0] = pair.x;
  if (both) to[1] = pair.y;
}

}  // namespace mend
