#include "kernels/cuda/cuda_separable.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/machine.h"
#include "kernels/separable_gradient.h"

namespace mend {
namespace {

/// Both axes in the GPU's memory, brought there in one copy.
class UploadedAxes {
 public:
  UploadedAxes(const SeparableAxis& rows, const SeparableAxis& columns, CudaDevice& device) {
    const std::span<const std::byte> parts[] = {
        std::as_bytes(std::span(rows.start())), std::as_bytes(std::span(rows.taps())),
        std::as_bytes(std::span(columns.start())), std::as_bytes(std::span(columns.taps()))};
    std::size_t starts[5] = {};
    // Multiples of 8 bytes each, as taps are read.
    for (int i = 0; i < 4; ++i) starts[i + 1] = starts[i] + (parts[i].size() + 7) / 8 * 8;
    std::vector<std::byte> bytes(starts[4]);
    for (int i = 0; i < 4; ++i) {
      std::copy(parts[i].begin(), parts[i].end(),
                bytes.begin() + static_cast<std::ptrdiff_t>(starts[i]));
    }
    memory_ = Tensor::empty(vector_shape(static_cast<int>(bytes.size())), DType::kU8, device);
    const std::byte* data = memory_.storage()->data();
    device.copy(memory_.storage()->data(), bytes.data(), bytes.size());
    const auto axis = [&](std::size_t start, std::size_t taps) {
      return SeparableAxisOnGpu{reinterpret_cast<const int*>(data + start),
                                reinterpret_cast<const SeparableTap*>(data + taps)};
    };
    rows_ = axis(starts[0], starts[1]);
    columns_ = axis(starts[2], starts[3]);
  }

  SeparableAxisOnGpu rows() const { return rows_; }
  SeparableAxisOnGpu columns() const { return columns_; }

 private:
  Tensor memory_;
  SeparableAxisOnGpu rows_{}, columns_{};
};

constexpr SeparableAxisOnGpu kSame{nullptr, nullptr};

double pass_seconds(double numbers_moved, double products) {
  return std::max(4 * numbers_moved / NominalGpu::kBytesPerSecond,
                  4 * products / NominalGpu::kCachedBytesPerSecond);
}

}  // namespace

SeparableAxis separable(const TransposedTaps& taps) {
  SeparableAxis axis;
  for (int input = 0; input < taps.inputs(); ++input) {
    for (const auto* tap = taps.begin(input); tap != taps.end(input); ++tap) {
      axis.add(tap->output, tap->weight);
    }
    axis.finish_output();
  }
  return axis;
}

void separable_cuda_direct(const SeparableAxis& rows, const SeparableAxis& columns,
                           View<const float> x, View<float> y) {
  CudaDevice& device = current_cuda_device();
  const UploadedAxes axes(rows, columns, device);
  launch_separable(axes.rows(), axes.columns(), x, y, device.stream());
}

void separable_cuda_two_pass(const SeparableAxis& rows, const SeparableAxis& columns,
                             View<const float> x, View<float> y) {
  CudaDevice& device = current_cuda_device();
  const UploadedAxes axes(rows, columns, device);
  const Tensor between =
      Tensor::empty({x.shape.n, y.shape.h, x.shape.w, x.shape.c}, DType::kF32, device);
  launch_separable(axes.rows(), kSame, x, between.view<float>(), device.stream());
  launch_separable(kSame, axes.columns(), between.view<const float>(), y, device.stream());
}

double separable_cuda_direct_seconds(const Shape& x, const Shape& y, int rows, int columns) {
  const double from = static_cast<double>(x.elements()), to = static_cast<double>(y.elements());
  return pass_seconds(from + to, to * rows * columns);
}

double separable_cuda_two_pass_seconds(const Shape& x, const Shape& y, int rows, int columns) {
  const double from = static_cast<double>(x.elements()), to = static_cast<double>(y.elements());
  const double between = static_cast<double>(Shape{x.n, y.h, x.w, x.c}.elements());
  return pass_seconds(from + between, between * rows) + pass_seconds(between + to, to * columns);
}

}  // namespace mend
