// Padding, and a window of an image.
#include "kernels/cuda/gather_pixels.cuh"
#include "kernels/pad/cuda.h"

namespace mend {
namespace {

struct PaddedPixel {
  View<const float> x;
  PadMode mode;
  int top, left;

  __device__ const float* operator()(int n, int p, int q, int c) const {
    const int h = padding_source(mode, p - top, x.shape.h);
    const int w = padding_source(mode, q - left, x.shape.w);
    return h < 0 || w < 0 ? nullptr : pixel_of(x, n, h, w) + c;
  }
};

}  // namespace

void launch_pad(PadMode mode, int top, int left, float value, const View<const float>& x,
                const View<float>& y, cudaStream_t stream) {
  launch_gather_pixels(PaddedPixel{x, mode, top, left}, packs(x), y, value, stream, "pad/cuda");
}

}  // namespace mend
