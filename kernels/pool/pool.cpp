#include "kernels/pool/pool.h"

#include <algorithm>
#include <cassert>

#include "kernels/cuda/machine.h"
#include "kernels/pool/variants.h"

namespace mend {
namespace {

double pool_seconds(const op::Pool& pool, const Shapes& in) {
  return pool.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

double adaptive_pool_seconds(const op::AdaptivePool& pool, const Shapes& in) {
  return pool.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

std::string takes_f32_x(const op::AdaptivePool& pool, const Shapes&) {
  return pool.x_type == DType::kF32 ? "" : fmt::format("reads f32, not {}", name_of(pool.x_type));
}

#ifdef MEND_HAS_CUDA
template <class Op>
double cuda_seconds(const Op& pool, const Shapes& in) {
  return pool.cost(in).bytes / NominalGpu::kBytesPerSecond;
}
#endif

// clang-format off
constexpr Variant<op::Pool, PoolKernel> kPoolLadder[] = {
    // name            device             can it?        time          error  entry
    {"pool/reference", DeviceKind::kCpu,  takes_f32_alone, slowest,      0,     pool_reference},
    {"pool/simd",      DeviceKind::kCpu,  takes_f32_alone, pool_seconds, 1e-6,  pool_simd},
#ifdef MEND_HAS_CUDA
    {"pool/cuda",      DeviceKind::kCuda, never_refuses, cuda_seconds, 1e-6,  {pool_cuda, pool_cuda_narrow}},
#endif
};

constexpr Variant<op::AdaptivePool, AdaptivePoolKernel> kAdaptivePoolLadder[] = {
    {"adaptive_pool/reference", DeviceKind::kCpu, takes_f32_x, slowest, 0, adaptive_pool_reference},
    {"adaptive_pool/simd", DeviceKind::kCpu, never_refuses, adaptive_pool_seconds, 1e-6, {adaptive_pool_simd, adaptive_pool_simd_f16, adaptive_pool_simd_bf16}},
#ifdef MEND_HAS_CUDA
    {"adaptive_pool/cuda", DeviceKind::kCuda, never_refuses, cuda_seconds, 1e-6, {adaptive_pool_cuda, adaptive_pool_cuda_narrow}},
#endif
};
// clang-format on

constexpr std::string_view name_of(PoolKind kind) {
  return kind == PoolKind::kMax ? "max" : "average";
}

Cost pool_cost(const Shape& x, const Shape& y, double window) {
  return {static_cast<double>(y.elements()) * window,
          sizeof(float) * static_cast<double>(x.elements() + y.elements())};
}

}  // namespace

std::span<const Variant<op::Pool, PoolKernel>> pool_ladder() { return kPoolLadder; }
std::span<const Variant<op::AdaptivePool, AdaptivePoolKernel>> adaptive_pool_ladder() {
  return kAdaptivePoolLadder;
}

Window pool_window(const op::Pool& pool, int p, int extent) {
  const int first = p * pool.stride - pool.padding;
  return {std::max(first, 0), std::min(first + pool.kernel, extent)};
}

Window adaptive_window(int p, int windows, int extent) {
  const std::int64_t first = std::int64_t{p} * extent / windows;
  const std::int64_t last = (std::int64_t{p + 1} * extent + windows - 1) / windows;
  return {static_cast<int>(first), static_cast<int>(last)};
}

namespace op {

Shape Pool::shape(const Shapes& in) const {
  assert(in.size() == 1 && kernel >= 1 && stride >= 1 && padding >= 0);
  const Shape& x = in[0];
  if (2 * padding > kernel) {
    throw ShapeError(
        fmt::format("pool: padding {} is more than half of kernel {}", padding, kernel));
  }
  if (x.h + 2 * padding < kernel || x.w + 2 * padding < kernel) {
    throw ShapeError(fmt::format("pool: a window of {} x {} with padding {} does not fit in {}",
                                 kernel, kernel, padding, to_string(x)));
  }
  return {x.n, (x.h + 2 * padding - kernel) / stride + 1, (x.w + 2 * padding - kernel) / stride + 1,
          x.c};
}

Cost Pool::cost(const Shapes& in) const {
  Cost cost = pool_cost(in[0], shape(in), static_cast<double>(kernel) * kernel);
  cost.bytes *= static_cast<double>(size_of(type)) / sizeof(float);
  return cost;
}

Footprint Pool::footprint(const Shapes&) const {
  // Output p stands for input rows [p·stride, (p+1)·stride) and sees
  // [p·stride − padding, p·stride − padding + kernel).
  const int before = padding, after = kernel - stride - padding;
  return {static_cast<double>(std::max({before, after, 0})), 1.0 / stride, stride, false};
}

std::string Pool::describe() const {
  return fmt::format("{} k{} s{} p{}", name_of(kind), kernel, stride, padding);
}

void Pool::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(pool_ladder(), *this, shapes_of(inputs), y.device().kind());
  if (type != DType::kF32) return rung.kernel.narrow(*this, inputs, y);
  rung.kernel(*this, inputs[0].view<const float>(), y.view<float>());
}

std::optional<Narrowed> Pool::narrow(const Shapes&, DType to) const {
  return narrow_inputs(*this, 1, to);
}

Shape AdaptivePool::shape(const Shapes& in) const {
  assert(in.size() == 1);
  if (height < 1 || width < 1) {
    throw ShapeError(fmt::format("adaptive_pool: {} x {} windows of {}; there must be at least one",
                                 height, width, to_string(in[0])));
  }
  return {in[0].n, height, width, in[0].c};
}

Cost AdaptivePool::cost(const Shapes& in) const {
  const Shape& x = in[0];
  const double window = std::max(1.0, static_cast<double>(x.h) / height) *
                        std::max(1.0, static_cast<double>(x.w) / width);
  const auto bytes = [](const Shape& image, DType type) {
    return static_cast<double>(image.elements()) * static_cast<double>(size_of(type));
  };
  const Shape y = shape(in);
  return {pool_cost(x, y, window).flops, bytes(x, x_type) + bytes(y, y_type)};
}

Footprint AdaptivePool::footprint(const Shapes& in) const {
  const Shape& x = in[0];
  const double scale = static_cast<double>(height) / x.h;
  const bool even = x.h % height == 0 && x.w % width == 0 && x.h / height == x.w / width;
  if (!even || (height == 1 && width == 1)) return {0, scale, 1, true};
  return {0, scale, x.h / height, false};
}

std::string AdaptivePool::describe() const {
  return fmt::format("{} to {}x{}", name_of(kind), width, height);
}

std::int64_t AdaptivePool::scratch_bytes(const Shapes& in) const {
  return adaptive_pool_simd_scratch(in[0], shape(in));
}

void AdaptivePool::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung = choose(adaptive_pool_ladder(), *this, shapes_of(inputs), y.device().kind());
  if (y_type != DType::kF32) return rung.kernel.narrow(*this, inputs, y);
  run_by_type<AdaptivePoolFunction>(rung.kernel, x_type, [&]<class T>(AdaptivePoolFunction<T> run) {
    run(*this, inputs[0].view<const T>(), y.view<float>(), scratch);
  });
}

std::optional<Narrowed> AdaptivePool::narrow(const Shapes&, DType to, DeviceKind device) const {
  AdaptivePool narrowed = *this;
  narrowed.x_type = to;
  narrowed.y_type = device == DeviceKind::kCpu ? DType::kF32 : to;
  return Narrowed{narrowed, 1};
}

}  // namespace op
}  // namespace mend
