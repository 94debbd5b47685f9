// Each output pixel is one input pixel.
#include "kernels/cuda/gather_pixels.cuh"
#include "kernels/resample/cuda.h"

namespace mend {
namespace {

template <class Number>
struct NearestPixel {
  View<const Number> x;
  const int *rows, *columns;

  __device__ const Number* operator()(int n, int p, int q, int c) const {
    return pixel_of(x, n, rows[p], columns[q]) + c;
  }
};

}  // namespace

template <class Number>
void launch_resample_nearest(const int* rows, const int* columns, const View<const Number>& x,
                             const View<Number>& y, cudaStream_t stream) {
  launch_gather_pixels(NearestPixel<Number>{x, rows, columns}, packs(x), y, Number{}, stream,
                       "resample/cuda_nearest");
}
template void launch_resample_nearest(const int*, const int*, const View<const float>&,
                                      const View<float>&, cudaStream_t);
template void launch_resample_nearest(const int*, const int*, const View<const Half>&,
                                      const View<Half>&, cudaStream_t);

}  // namespace mend
