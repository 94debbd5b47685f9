// Images as the rows of a matrix product (kernels/cuda/gemm.cuh).
#pragma once

#include "kernels/cuda/gemm_operand.cuh"

namespace mend {

/// Whether pixel i of the tensor is i · w_stride away, without gaps behind rows and images.
template <class T>
bool is_flat(const View<T>& view) {
  return (view.shape.h == 1 || view.h_stride == view.shape.w * view.w_stride) &&
         (view.shape.n == 1 || view.n_stride == view.shape.h * view.h_stride);
}

/// What the taps of a convolution (CudaConv2dParameters, or those of its gradient) see of x, a row for each pixel
/// of a result as large as `result`.
template <class T, class Parameters>
gemm::PixelRows<T> rows_of(const View<const T>& x, const Shape& result, const Parameters& op,
                           PaddingMode mode) {
  gemm::PixelRows<T> rows{};
  rows.data = x.data;
  rows.rows = result.n * result.h * result.w;
  rows.columns = x.shape.c;
  rows.n_stride = x.n_stride;
  rows.h_stride = x.h_stride;
  rows.w_stride = static_cast<int>(x.w_stride);
  rows.width = FastDivider(result.w);
  rows.height = FastDivider(result.h);
  rows.kernel_w = FastDivider(op.kernel_w);
  rows.H = x.shape.h;
  rows.W = x.shape.w;
  rows.stride = op.stride;
  rows.dilation = op.dilation;
  rows.padding_h = op.padding_h;
  rows.padding_w = op.padding_w;
  rows.padding_mode = mode;
  rows.granule = gemm::granule_of(x);
  const bool whole = x.shape.h == result.h * op.stride && x.shape.w == result.w * op.stride;
  const bool no_padding = op.padding_h == 0 && op.padding_w == 0 &&
                          op.dilation * (op.kernel_h - 1) < op.stride &&
                          op.dilation * (op.kernel_w - 1) < op.stride;
  const bool follow = x.shape.n == 1 || x.n_stride == x.shape.h * x.h_stride;
  rows.walk = !whole || !no_padding || !follow ? gemm::PixelWalk::kAny
              : op.stride == 1 && is_flat(x)   ? gemm::PixelWalk::kFlat
                                               : gemm::PixelWalk::kLines;
  return rows;
}

}  // namespace mend
