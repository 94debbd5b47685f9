#include "kernels/cuda/cuda_separable.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/cuda_kept_tables.h"
#include "kernels/cuda/machine.h"
#include "kernels/separable_gradient.h"

namespace mend {
namespace {

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

/// Where the taps lie behind so many starts: at a multiple of 8 bytes, as they are read.
std::size_t taps_offset(std::size_t starts) { return (starts * sizeof(int) + 7) / 8 * 8; }

std::vector<std::byte> bytes_of(const SeparableAxis& axis) {
  const auto start = std::as_bytes(std::span(axis.start()));
  const auto taps = std::as_bytes(std::span(axis.taps()));
  const std::size_t taps_at = taps_offset(axis.start().size());
  std::vector<std::byte> bytes(taps_at + taps.size());
  std::copy(start.begin(), start.end(), bytes.begin());
  std::copy(taps.begin(), taps.end(), bytes.begin() + static_cast<std::ptrdiff_t>(taps_at));
  return bytes;
}

constexpr SeparableAxisOnGpu kSame{nullptr, nullptr};

double pass_seconds(double numbers_moved, double products) {
  return std::max(4 * numbers_moved / NominalGpu::kBytesPerSecond,
                  4 * products / NominalGpu::kCachedBytesPerSecond);
}

}  // namespace

KeptAxis::KeptAxis(const std::string& key, int outputs, const std::function<SeparableAxis()>& make)
    : table_(kept_table("axis " + key, [&] { return bytes_of(make()); })), outputs_(outputs) {}

KeptAxis KeptAxis::of_gradient(const std::string& key, int inputs,
                               const std::function<TransposedTaps()>& make) {
  return {key, inputs, [&] { return separable(make()); }};
}

SeparableAxisOnGpu KeptAxis::on_gpu() const {
  const std::byte* data = table_.storage()->data();
  const std::size_t taps_at = taps_offset(static_cast<std::size_t>(outputs_) + 1);
  return {reinterpret_cast<const int*>(data),
          reinterpret_cast<const SeparableTap*>(data + taps_at)};
}

template <class T>
void separable_cuda_direct(const KeptAxis& rows, const KeptAxis& columns, View<const T> x,
                           View<T> y) {
  launch_separable(rows.on_gpu(), columns.on_gpu(), x, y, current_cuda_device().stream());
}

template <class T>
void separable_cuda_two_pass(const KeptAxis& rows, const KeptAxis& columns, View<const T> x,
                             View<T> y) {
  CudaDevice& device = current_cuda_device();
  const Tensor between =
      Tensor::empty({x.shape.n, y.shape.h, x.shape.w, x.shape.c}, DType::kF32, device);
  launch_separable(rows.on_gpu(), kSame, x, between.view<float>(), device.stream());
  launch_separable(kSame, columns.on_gpu(), between.view<const float>(), y, device.stream());
}

#define MEND_SEPARABLE(T)                                                                        \
  template void separable_cuda_direct(const KeptAxis&, const KeptAxis&, View<const T>, View<T>); \
  template void separable_cuda_two_pass(const KeptAxis&, const KeptAxis&, View<const T>, View<T>)
MEND_SEPARABLE(float);
MEND_SEPARABLE(Half);
MEND_SEPARABLE(BFloat16);
#undef MEND_SEPARABLE

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
