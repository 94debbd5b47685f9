// Where a tap of a deformable convolution looks.
#pragma once

#include "kernels/cuda/divide.cuh"
#include "kernels/cuda/element.cuh"
#include "kernels/deform_conv2d/cuda.h"

namespace mend::deform {

/// Number (pixel, g, r, s): what a tap of an offset group of an output sees.
struct Sample {
  int pixel, g, tap;
};

/// The samples of rows of an image, numbered as the taps of the offsets are.
struct Samples {
  CudaDeform op;
  View<const float> offset, mask;
  int count;
  FastDivider width, taps, group_taps, kernel_w;  ///< of y; of an output; of an offset group; S

  Samples(const CudaDeform& op, const View<const float>& offset, const View<const float>& mask,
          int rows)
      : op(op),
        offset(offset),
        mask(mask),
        count(rows * offset.shape.w * op.offset_groups * op.kernel_h * op.kernel_w),
        width(offset.shape.w),
        taps(op.offset_groups * op.kernel_h * op.kernel_w),
        group_taps(op.kernel_h * op.kernel_w),
        kernel_w(op.kernel_w) {}

  __device__ int taps_of_group() const { return static_cast<int>(group_taps.divisor); }
  __device__ Sample at(int sample) const {
    const auto [pixel, t] = taps(sample);
    const auto [g, tap] = group_taps(t);
    return {pixel, g, tap};
  }
  /// Where it looks, in rows from `first_row` on of image n: from x's first row and column on. In double, for a whole
  /// number may be as large as the image and an offset small.
  struct Position {
    double h, w;
    float gate;
  };
  __device__ Position position(const Sample& sample, int n, int first_row) const {
    const auto [row, q] = width(sample.pixel);
    const auto [r, s] = kernel_w(sample.tap);
    return position(n, first_row + row, q, sample.g * taps_of_group() + sample.tap, r, s);
  }
  __device__ Position position(int n, int p, int q, int t, int r, int s) const {
    const float* moved = pixel_of(offset, n, p, q) + 2 * t;
    return {double(p * op.stride + r * op.dilation - op.padding_h) + moved[0],
            double(q * op.stride + s * op.dilation - op.padding_w) + moved[1],
            mask.data != nullptr ? pixel_of(mask, n, p, q)[t] : 1.0f};
  }
};

/// The four pixels around a position in an image, from their first channel on; those outside have the weight 0. All
/// weights are NaN where the position is no number.
struct Corners {
  std::int64_t at[4];  ///< in elements, of x
  float weight[4];

  __device__ Corners(const View<const float>& x, int n, const Samples::Position& position) {
    const auto [h, w, gate] = position;
    const bool finite = isfinite(h) && isfinite(w);
    const bool near = finite && h > -1 && h < x.shape.h && w > -1 && w < x.shape.w;
    const double top = floor(near ? h : 0), left = floor(near ? w : 0);
    const auto down = static_cast<float>((near ? h : 0) - top);
    const auto right = static_cast<float>((near ? w : 0) - left);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = static_cast<int>(top) + i / 2, column = static_cast<int>(left) + i % 2;
      const bool inside = row >= 0 && row < x.shape.h && column >= 0 && column < x.shape.w;
      const float bilinear = (i / 2 ? down : 1 - down) * (i % 2 ? right : 1 - right);
      const bool counts = near && inside && bilinear > 0;
      at[i] = counts ? n * x.n_stride + row * x.h_stride + column * x.w_stride : 0;
      weight[i] = !finite ? NAN : counts ? bilinear * gate : 0;
    }
  }
};

}  // namespace mend::deform
