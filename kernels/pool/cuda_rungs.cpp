// The host's side of the CUDA rungs.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <variant>

#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/cuda_separable.h"
#include "kernels/narrow_type.h"
#include "kernels/pool/cuda.h"
#include "kernels/pool/gradient.h"
#include "kernels/pool/variants.h"
#include "kernels/separable_gradient.h"

namespace mend {
namespace {

KeptAxis kept_axis(const op::MeanGradient& op, int windows, int extent, bool rows) {
  const std::string pool = std::visit(
      [](const auto& of) { return fmt::format("{} {}", of.kName, of.describe()); }, op.pool);
  const std::string key =
      fmt::format("gradient of {} {} {} {}", pool, windows, extent, rows ? "rows" : "columns");
  return KeptAxis::of_gradient(key, extent,
                               [&] { return transposed_axis(op, windows, extent, rows); });
}

/// About as many windows see a pixel, along one axis.
int seen_by(const op::MeanGradient& op, int windows, int extent, bool rows) {
  const int middle = mean_window_rows(op, windows, extent, rows);
  return std::max(1, static_cast<int>(static_cast<double>(middle) * windows / extent));
}

}  // namespace

namespace {

template <class T>
void pool_of(const op::Pool& pool, View<const T> x, View<T> y) {
  launch_pool(pool.kind, pool.kernel, pool.stride, pool.padding, x, y,
              current_cuda_device().stream());
}

template <class T>
void adaptive_pool_of(const op::AdaptivePool& pool, View<const T> x, View<T> y) {
  constexpr std::int64_t kSmall = 64;    // pixels that one thread reads
  constexpr std::int64_t kSlice = 1024;  // at least so many pixels are worth a block
  constexpr std::int64_t kBlocks =
      528;  // 4 for each multiprocessor of the largest GPU; on all of them,
            // or the bits would differ
  CudaDevice& device = current_cuda_device();
  const Shape &s = x.shape, &t = y.shape;
  const std::int64_t pixels = std::int64_t{s.h / t.h + 1} * (s.w / t.w + 1);
  if (pixels <= kSmall) return launch_adaptive_pool(pool.kind, x, y, device.stream());
  const std::int64_t groups = t.pixels() * ((s.c + 31) / 32);
  const auto slices = static_cast<int>(
      std::clamp<std::int64_t>(kBlocks / groups, 1, std::max<std::int64_t>(1, pixels / kSlice)));
  const Tensor partial =
      Tensor::empty({t.n, t.h * t.w, slices, t.c * 2}, DType::kF32, device);  // doubles
  launch_adaptive_pool_slices(pool.kind, x, reinterpret_cast<double*>(partial.storage()->data()),
                              slices, y, device.stream());
}

}  // namespace

void pool_cuda(const op::Pool& pool, View<const float> x, View<float> y) { pool_of(pool, x, y); }
void pool_cuda_narrow(const op::Pool& pool, Inputs inputs, const Tensor& y) {
  with_narrow_type(pool.type,
                   [&]<class T>() { pool_of<T>(pool, inputs[0].view<const T>(), y.view<T>()); });
}

void adaptive_pool_cuda(const op::AdaptivePool& pool, View<const float> x, View<float> y, Scratch) {
  adaptive_pool_of(pool, x, y);
}
void adaptive_pool_cuda_narrow(const op::AdaptivePool& pool, Inputs inputs, const Tensor& y) {
  with_narrow_type(pool.x_type, [&]<class T>() {
    adaptive_pool_of<T>(pool, inputs[0].view<const T>(), y.view<T>());
  });
}

void box_mean_cuda(const op::BoxMean& box, View<const float> x, View<float> y, Scratch) {
  CudaDevice& device = current_cuda_device();
  const Tensor means_of_rows = Tensor::empty(x.shape, DType::kF32, device);
  launch_sliding_mean(box.kernel_h, false, x, means_of_rows.view<float>(), device.stream());
  launch_sliding_mean(box.kernel_w, true, means_of_rows.view<const float>(), y, device.stream());
}

double mean_gradient_cuda_direct_seconds(const op::MeanGradient& op, const Shapes& in) {
  return separable_cuda_direct_seconds(in[0], op.shape(in), seen_by(op, in[0].h, op.height, true),
                                       seen_by(op, in[0].w, op.width, false));
}
double mean_gradient_cuda_two_pass_seconds(const op::MeanGradient& op, const Shapes& in) {
  return separable_cuda_two_pass_seconds(in[0], op.shape(in), seen_by(op, in[0].h, op.height, true),
                                         seen_by(op, in[0].w, op.width, false));
}

void mean_gradient_cuda_direct(const op::MeanGradient& op, View<const float> dy, View<float> y,
                               Scratch) {
  separable_cuda_direct(kept_axis(op, dy.shape.h, y.shape.h, true),
                        kept_axis(op, dy.shape.w, y.shape.w, false), dy, y);
}
void mean_gradient_cuda_two_pass(const op::MeanGradient& op, View<const float> dy, View<float> y,
                                 Scratch) {
  separable_cuda_two_pass(kept_axis(op, dy.shape.h, y.shape.h, true),
                          kept_axis(op, dy.shape.w, y.shape.w, false), dy, y);
}

void max_gradient_cuda(const op::MaxGradient& op, View<const float> x, View<const float> dy,
                       View<float> y) {
  CudaDevice& device = current_cuda_device();
  const Tensor memory = Tensor::empty(dy.shape, DType::kF32, device);  // as many integers
  int* const places = reinterpret_cast<int*>(memory.storage()->data());
  if (const auto* pool = std::get_if<op::Pool>(&op.pool)) {
    launch_max_gradient(pool->kernel, pool->stride, pool->padding, x, dy, places, y,
                        device.stream());
  } else {
    launch_adaptive_max_gradient(x, dy, places, y, device.stream());
  }
}

}  // namespace mend
