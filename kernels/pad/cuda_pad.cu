// Padding, and a window of an image.
#include "kernels/cuda/gather_pixels.cuh"
#include "kernels/pad/cuda.h"

namespace mend {
namespace {

template <class Number>
struct PaddedPixel {
  View<const Number> x;
  PadMode mode;
  int top, left;

  __device__ const Number* operator()(int n, int p, int q, int c) const {
    const int h = padding_source(mode, p - top, x.shape.h);
    const int w = padding_source(mode, q - left, x.shape.w);
    return h < 0 || w < 0 ? nullptr : pixel_of(x, n, h, w) + c;
  }
};

}  // namespace

template <class Number>
void launch_pad(PadMode mode, int top, int left, Number value, const View<const Number>& x,
                const View<Number>& y, cudaStream_t stream) {
  const PaddedPixel<Number> source{x, mode, top, left};
  launch_gather_pixels(source, packs(x), y, value, stream, "pad/cuda");
}
template void launch_pad(PadMode, int, int, float, const View<const float>&, const View<float>&,
                         cudaStream_t);
template void launch_pad(PadMode, int, int, Half, const View<const Half>&, const View<Half>&,
                         cudaStream_t);

}  // namespace mend
