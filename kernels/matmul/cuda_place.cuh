// Where the number that parts of a sum add up to belongs in y.
#pragma once

#include "kernels/cuda/element.cuh"

namespace mend {

/// Of sums in the order of a dense y.
struct PlaceInMatrices {
  View<float> y;
  __device__ void operator()(std::int64_t element, float sum) const {
    const int j = static_cast<int>(element % y.shape.c);
    const std::int64_t row = element / y.shape.c;
    const int i = static_cast<int>(row % y.shape.w), matrix = static_cast<int>(row / y.shape.w);
    pixel_of(y, matrix / y.shape.h, matrix % y.shape.h, i)[j] = sum;
  }
};

}  // namespace mend
