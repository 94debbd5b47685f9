// Concatenation, one input at a time, and a slice among zeros.
#include "kernels/channels/cuda.h"
#include "kernels/cuda/gather_pixels.cuh"

namespace mend {
namespace {

template <class Number>
struct SamePixel {
  View<const Number> x;

  __device__ const Number* operator()(int n, int h, int w, int c) const {
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

template <class Number>
void launch_copy_pixels(const View<const Number>& x, const View<Number>& y, cudaStream_t stream) {
  launch_gather_pixels(SamePixel<Number>{x}, packs(x), y, Number{}, stream, "concat/cuda");
}
template void launch_copy_pixels(const View<const float>&, const View<float>&, cudaStream_t);
template void launch_copy_pixels(const View<const Half>&, const View<Half>&, cudaStream_t);

void launch_place_channels(int first, const View<const float>& x, const View<float>& y,
                           cudaStream_t stream) {
  const bool aligned = packs(x) && first % 4 == 0 && x.shape.c % 4 == 0;
  launch_gather_pixels(PlacedChannel{x, first}, aligned, y, 0.0f, stream, "place_channels/cuda");
}

}  // namespace mend
