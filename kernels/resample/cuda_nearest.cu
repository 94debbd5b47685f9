// Each output pixel is one input pixel.
#include "kernels/cuda/gather_pixels.cuh"
#include "kernels/resample/cuda.h"

namespace mend {
namespace {

struct NearestPixel {
  View<const float> x;
  const int *rows, *columns;

  __device__ const float* operator()(int n, int p, int q, int c) const {
    return pixel_of(x, n, rows[p], columns[q]) + c;
  }
};

}  // namespace

void launch_resample_nearest(const int* rows, const int* columns, const View<const float>& x,
                             const View<float>& y, cudaStream_t stream) {
  launch_gather_pixels(NearestPixel{x, rows, columns}, packs(x), y, 0.0f, stream,
                       "resample/cuda_nearest");
}

}  // namespace mend
