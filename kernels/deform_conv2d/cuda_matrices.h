// What the CUDA rungs of the deformable convolution and of its gradients share on the host: columns and matrix products.
#pragma once

#include <algorithm>

#include "engine/cuda/check.h"
#include "engine/cuda/cuda_device.h"
#include "kernels/deform_conv2d/cuda.h"
#include "kernels/deform_conv2d/deform_conv2d.h"
#include "kernels/matmul/matmul.h"

namespace mend {

inline CudaDeform on_gpu(const op::DeformConv2d& op) {
  return {op.kernel_h,  op.kernel_w, op.stride, op.padding_h,
          op.padding_w, op.dilation, op.groups, op.offset_groups};
}

/// Working memory of so many numbers on the current GPU.
struct DeviceNumbers {
  explicit DeviceNumbers(std::int64_t count)
      : memory(Tensor::empty(vector_shape(static_cast<int>(count)), DType::kF32,
                             current_cuda_device())) {}
  float* data() const { return reinterpret_cast<float*>(memory.storage()->data()); }
  Tensor memory;
};

/// The columns of some rows of y at a time: 16 MB, which stay in the L2 of an H100 between the kernel that makes them
/// and the product that reads them.
class ColumnRows {
 public:
  /// `joined`: whether the rows of y and dy follow each other at the distance of pixels, as a matrix needs it.
  ColumnRows(const op::DeformConv2d& op, int channels, const Shape& y, bool joined)
      : of_pixel_(std::int64_t{op.kernel_h} * op.kernel_w * channels),
        rows_(joined
                  ? static_cast<int>(std::clamp<std::int64_t>(kNumbers / (of_pixel_ * y.w), 1, y.h))
                  : 1),
        images_(y.n),
        height_(y.h),
        columns_(of_pixel_ * y.w * rows_) {}

  /// How often body is called.
  int count() const { return images_ * ((height_ + rows_ - 1) / rows_); }
  float* data() const { return columns_.data(); }
  std::int64_t of_pixel() const { return of_pixel_; }
  /// body(n, first row, rows, number of the call)
  template <class Body>
  void for_each(const Body& body) const {
    int call = 0;
    for (int n = 0; n < images_; ++n)
      for (int first = 0; first < height_; first += rows_) {
        body(n, first, std::min(rows_, height_ - first), call++);
      }
  }

 private:
  static constexpr std::int64_t kNumbers = 4 << 20;

  std::int64_t of_pixel_;
  int rows_, images_, height_;
  DeviceNumbers columns_;
};

template <class T>
bool rows_join(const View<T>& view) {
  return view.shape.h == 1 || view.h_stride == view.w_stride * view.shape.w;
}

/// The weights of an output side by side, and those of all outputs one after the other: where they are, or copied.
struct DenseWeight {
  explicit DenseWeight(const View<const float>& weight) : view(weight) {
    if (weight.dense()) return;
    CudaDevice& device = current_cuda_device();
    copy = Tensor::empty(weight.shape, DType::kF32, device);
    const View<float> to = copy.view<float>();
    for (int k = 0; k < weight.shape.n; ++k)
      for (int r = 0; r < weight.shape.h; ++r) {
        cuda_check(
            cudaMemcpy2DAsync(to.pixel(k, r, 0), to.w_stride * sizeof(float), weight.pixel(k, r, 0),
                              weight.w_stride * sizeof(float), weight.shape.c * sizeof(float),
                              weight.shape.w, cudaMemcpyDeviceToDevice, device.stream()),
            "deform_conv2d/cuda_columns");
      }
    view = to;
  }

  View<const float> view;
  Tensor copy;
};

/// One product for each group.
inline void multiply(const op::Matmul& op, const View<const float>& a, const View<const float>& b,
                     const View<float>& y) {
  const auto& rung = choose(matmul_ladder(), op, {a.shape, b.shape}, DeviceKind::kCuda);
  rung.kernel(op, a, b, y, {});
}

/// [1, groups, rows, columns], the groups `step` apart and the rows `row`.
template <class T>
View<T> matrices(T* data, int groups, int rows, int columns, std::int64_t step, std::int64_t row) {
  return {data, {1, groups, rows, columns}, groups * step, step, row};
}

}  // namespace mend
