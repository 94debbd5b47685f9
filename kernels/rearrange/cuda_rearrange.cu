// Shifts and windows: where the pixels of y come from.
#include "kernels/cuda/gather_pixels.cuh"
#include "kernels/rearrange/cuda.h"

namespace mend {
namespace {

template <class Number>
struct RolledPixel {
  View<const Number> x;
  int shift_h, shift_w;

  __device__ const Number* operator()(int n, int h, int w, int c) const {
    const int from_h = h - shift_h + (h < shift_h ? x.shape.h : 0);
    const int from_w = w - shift_w + (w < shift_w ? x.shape.w : 0);
    return pixel_of(x, n, from_h, from_w) + c;
  }
};

/// Of an image that is I x J windows.
template <class Number>
struct PixelOfImage {
  View<const Number> x;
  FastDivider windows, J;  ///< windows: I·J
  int I, window_h, window_w;
  bool dilated;

  __device__ const Number* operator()(int window, int r, int s, int c) const {
    const auto [n, k] = windows(window);
    const auto [i, j] = J(k);
    const int h = dilated ? r * I + i : i * window_h + r;
    const int w = dilated ? s * static_cast<int>(J.divisor) + j : j * window_w + s;
    return pixel_of(x, n, h, w) + c;
  }
};

template <class Number>
struct PixelOfWindow {
  View<const Number> x;
  FastDivider by_h, by_w;  ///< of a window, or, if they are dilated, I and J
  int I, J;
  bool dilated;

  __device__ const Number* operator()(int n, int h, int w, int c) const {
    const auto [row, row_rest] = by_h(h);
    const auto [column, column_rest] = by_w(w);
    const int i = dilated ? row_rest : row, r = dilated ? row : row_rest;
    const int j = dilated ? column_rest : column, s = dilated ? column : column_rest;
    return pixel_of(x, (n * I + i) * J + j, r, s) + c;
  }
};

}  // namespace

template <class Number>
void launch_roll(int shift_h, int shift_w, const View<const Number>& x, const View<Number>& y,
                 cudaStream_t stream) {
  launch_gather_pixels(RolledPixel<Number>{x, shift_h, shift_w}, packs(x), y, Number{}, stream,
                       "roll/cuda");
}
template void launch_roll(int, int, const View<const float>&, const View<float>&, cudaStream_t);
template void launch_roll(int, int, const View<const Half>&, const View<Half>&, cudaStream_t);

template <class Number>
void launch_window_partition(bool dilated, const View<const Number>& x, const View<Number>& y,
                             cudaStream_t stream) {
  const int window_h = y.shape.h, window_w = y.shape.w;
  const int I = x.shape.h / window_h, J = x.shape.w / window_w;
  const PixelOfImage<Number> source{x,        FastDivider(I * J), FastDivider(J), I,
                                    window_h, window_w,           dilated};
  launch_gather_pixels(source, packs(x), y, Number{}, stream, "window_partition/cuda");
}
template void launch_window_partition(bool, const View<const float>&, const View<float>&,
                                      cudaStream_t);
template void launch_window_partition(bool, const View<const Half>&, const View<Half>&,
                                      cudaStream_t);

template <class Number>
void launch_window_merge(bool dilated, const View<const Number>& x, const View<Number>& y,
                         cudaStream_t stream) {
  const int I = y.shape.h / x.shape.h, J = y.shape.w / x.shape.w;
  const PixelOfWindow<Number> source{
      x, FastDivider(dilated ? I : x.shape.h), FastDivider(dilated ? J : x.shape.w), I, J, dilated};
  launch_gather_pixels(source, packs(x), y, Number{}, stream, "window_merge/cuda");
}
template void launch_window_merge(bool, const View<const float>&, const View<float>&, cudaStream_t);
template void launch_window_merge(bool, const View<const Half>&, const View<Half>&, cudaStream_t);

}  // namespace mend
