// Concatenation, one input at a time, and a slice among zeros.
#include "kernels/channels/cuda.h"
#include "kernels/cuda/gather_pixels.cuh"

namespace mend {
namespace {

struct SamePixel {
  View<const float> x;

  __device__ const float* operator()(int n, int h, int w, int c) const {
    return pixel_of(x, n, h, w) + c;
  }
};

struct PlacedChannel {
  View<const float> x;
  int first;

  __device__ const float* operator()(int n, int h, int w, int c) const {
    const bool inside = c >= first && c < first + x.shape.c;
    return inside ? pixel_of(x, n, h, w) + (c - first) : nullptr;
  }
};

}  // namespace

void launch_copy_pixels(const View<const float>& x, const View<float>& y, cudaStream_t stream) {
  launch_gather_pixels(SamePixel{x}, packs(x), y, 0, stream, "concat/cuda");
}

void launch_place_channels(int first, const View<const float>& x, const View<float>& y,
                           cudaStream_t stream) {
  const bool aligned = packs(x) && first % 4 == 0 && x.shape.c % 4 == 0;
  launch_gather_pixels(PlacedChannel{x, first}, aligned, y, 0, stream, "place_channels/cuda");
}

}  // namespace mend
