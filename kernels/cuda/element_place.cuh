// Where an element lies, for kernels that are to be read; walk.cuh and units.cuh divide faster.
#pragma once

#include <cstdint>

#include "engine/shape.h"

namespace mend {

/// Element `index` of a tensor of `shape`, in NHWC order, by plain divisions.
struct ElementPlace {
  int n, h, w, c;
};
__device__ inline ElementPlace element_place(std::int64_t index, const Shape& shape) {
  const int c = static_cast<int>(index % shape.c);
  index /= shape.c;
  const int w = static_cast<int>(index % shape.w);
  index /= shape.w;
  return {static_cast<int>(index / shape.h), static_cast<int>(index % shape.h), w, c};
}

}  // namespace mend
