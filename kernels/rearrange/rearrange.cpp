#include "kernels/rearrange/rearrange.h"

#include <algorithm>
#include <cassert>
#include <numeric>

#include "kernels/cuda/memory_seconds.h"
#include "kernels/rearrange/variants.h"
#include "kernels/rows.h"

namespace mend {
namespace {

template <class Op>
double memory_seconds(const Op& op, const Shapes& in) {
  return op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

// clang-format off
constexpr Variant<op::Roll, RollKernel> kRollLadder[] = {
    // name                        device            can it?        time            error  entry
    {"roll/reference",             DeviceKind::kCpu, takes_f32_alone, slowest,        0,   roll_reference},
    {"roll/rows",                  DeviceKind::kCpu, takes_f32_alone, memory_seconds, 0,   roll_rows},
#ifdef MEND_HAS_CUDA
    {"roll/cuda", DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 0, {roll_cuda, roll_cuda_narrow}},
#endif
};
constexpr Variant<op::WindowPartition, WindowPartitionKernel> kWindowPartitionLadder[] = {
    {"window_partition/reference", DeviceKind::kCpu, takes_f32_alone, slowest,        0,   window_partition_reference},
    {"window_partition/rows",      DeviceKind::kCpu, takes_f32_alone, memory_seconds, 0,   window_partition_rows},
#ifdef MEND_HAS_CUDA
    {"window_partition/cuda", DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 0, {window_partition_cuda, window_partition_cuda_narrow}},
#endif
};
constexpr Variant<op::WindowMerge, WindowMergeKernel> kWindowMergeLadder[] = {
    {"window_merge/reference",     DeviceKind::kCpu, takes_f32_alone, slowest,        0,   window_merge_reference},
    {"window_merge/rows",          DeviceKind::kCpu, takes_f32_alone, memory_seconds, 0,   window_merge_rows},
#ifdef MEND_HAS_CUDA
    {"window_merge/cuda", DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 0, {window_merge_cuda, window_merge_cuda_narrow}},
#endif
};
constexpr Variant<op::Transpose, TransposeKernel> kTransposeLadder[] = {
    {"transpose/reference",        DeviceKind::kCpu, never_refuses, slowest,        0,     transpose_reference},
    {"transpose/tiles",            DeviceKind::kCpu, never_refuses, memory_seconds, 0,     transpose_tiles},
#ifdef MEND_HAS_CUDA
    {"transpose/cuda", DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 0, transpose_cuda},
#endif
};
// clang-format on

Cost copy_cost(const Shapes& in, DType type = DType::kF32) {
  return {0, 2 * static_cast<double>(size_of(type)) * static_cast<double>(in[0].elements())};
}

void check_windows(std::string_view op, const Shape& image, int window_h, int window_w) {
  if (window_h > 0 && window_w > 0 && image.h % window_h == 0 && image.w % window_w == 0) return;
  throw ShapeError(fmt::format("{}: windows of {}x{} pixels do not tile images of {}; pad them", op,
                               window_w, window_h, to_string(image)));
}

/// A window's pixels see each other, and where it lies depends on the position modulo its size.
Footprint window_footprint(int window_h, int window_w, bool dilated) {
  return {static_cast<double>(std::max(window_h, window_w) - 1), 1, std::lcm(window_h, window_w),
          dilated};
}

}  // namespace

std::span<const Variant<op::Roll, RollKernel>> roll_ladder() { return kRollLadder; }
std::span<const Variant<op::WindowPartition, WindowPartitionKernel>> window_partition_ladder() {
  return kWindowPartitionLadder;
}
std::span<const Variant<op::WindowMerge, WindowMergeKernel>> window_merge_ladder() {
  return kWindowMergeLadder;
}
std::span<const Variant<op::Transpose, TransposeKernel>> transpose_ladder() {
  return kTransposeLadder;
}

namespace op {

Shape Roll::shape(const Shapes& in) const { return in[0]; }

Cost Roll::cost(const Shapes& in) const { return copy_cost(in, type); }

std::optional<Narrowed> Roll::narrow(const Shapes&, DType to) const {
  return narrow_inputs(*this, 1, to);
}

/// What is rolled over an edge comes from the far side, but only there: networks that roll roll
/// back, so what a tile's inner pixels see is as far as the shift.
Footprint Roll::footprint(const Shapes&) const {
  return {static_cast<double>(std::max(std::abs(shift_h), std::abs(shift_w))), 1, 1, false};
}

std::string Roll::describe() const { return fmt::format("{},{}", shift_h, shift_w); }

void Roll::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(roll_ladder(), *this, shapes_of(inputs), y.device().kind());
  if (type != DType::kF32) return rung.kernel.narrow(*this, inputs, y);
  rung.kernel(*this, inputs[0].view<const float>(), y.view<float>());
}

Shape WindowPartition::shape(const Shapes& in) const {
  const Shape& x = in[0];
  check_windows(kName, x, window_h, window_w);
  return {x.n * (x.h / window_h) * (x.w / window_w), window_h, window_w, x.c};
}

Cost WindowPartition::cost(const Shapes& in) const { return copy_cost(in, type); }

std::optional<Narrowed> WindowPartition::narrow(const Shapes&, DType to) const {
  return narrow_inputs(*this, 1, to);
}

Footprint WindowPartition::footprint(const Shapes&) const {
  return window_footprint(window_h, window_w, dilated);
}

std::string WindowPartition::describe() const {
  return fmt::format("{}x{}{}", window_w, window_h, dilated ? " dilated" : "");
}

void WindowPartition::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(window_partition_ladder(), *this, shapes_of(inputs), y.device().kind());
  if (type != DType::kF32) return rung.kernel.narrow(*this, inputs, y);
  rung.kernel(*this, inputs[0].view<const float>(), y.view<float>());
}

Shape WindowMerge::shape(const Shapes& in) const {
  const Shape& x = in[0];
  check_windows(kName, {1, height, width, x.c}, x.h, x.w);
  const std::int64_t windows = std::int64_t{height / x.h} * (width / x.w);
  if (windows < 1 || x.n % windows != 0) {
    throw ShapeError(fmt::format("window_merge: {} windows {} do not make whole images of {}x{}",
                                 x.n, to_string(x), width, height));
  }
  return {static_cast<int>(x.n / windows), height, width, x.c};
}

Cost WindowMerge::cost(const Shapes& in) const { return copy_cost(in, type); }

std::optional<Narrowed> WindowMerge::narrow(const Shapes&, DType to) const {
  return narrow_inputs(*this, 1, to);
}

Footprint WindowMerge::footprint(const Shapes& in) const {
  return window_footprint(in[0].h, in[0].w, dilated);
}

std::string WindowMerge::describe() const {
  return fmt::format("to {}x{}{}", width, height, dilated ? " dilated" : "");
}

void WindowMerge::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(window_merge_ladder(), *this, shapes_of(inputs), y.device().kind());
  if (type != DType::kF32) return rung.kernel.narrow(*this, inputs, y);
  rung.kernel(*this, inputs[0].view<const float>(), y.view<float>());
}

Shape Reshape::shape(const Shapes& in) const {
  const Shape y{n, h, w, in[0].c};
  if (n < 1 || h < 1 || w < 1 || y.pixels() != in[0].pixels()) {
    throw ShapeError(fmt::format("reshape: the {} pixels of {} cannot be seen as {}",
                                 in[0].pixels(), to_string(in[0]), to_string(y)));
  }
  return y;
}

Cost Reshape::cost(const Shapes&) const { return {}; }

Footprint Reshape::footprint(const Shapes&) const { return {}; }

std::string Reshape::describe() const { return fmt::format("{},{},{}", n, h, w); }

void Reshape::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const View<const float> from = view(inputs[0])->view<const float>();
  const View<float> to = y.view<float>();
  for_each_run(to.shape, [&](const Run& run) {
    copy_run(from.pixel(run.n, run.h, run.w), from.w_stride, to.pixel(run.n, run.h, run.w),
             to.w_stride, run.count, to.shape.c);
  });
}

std::optional<Tensor> Reshape::view(const Tensor& x) const {
  return x.reshaped(shape({x.shape()}));
}

Shape Transpose::shape(const Shapes& in) const { return {in[0].n, in[0].h, in[0].c, in[0].w}; }

Cost Transpose::cost(const Shapes& in) const { return copy_cost(in); }

/// What stands in a row or column of y is no place in the image any more.
Footprint Transpose::footprint(const Shapes&) const { return {.global = true}; }

void Transpose::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(transpose_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(inputs[0].view<const float>(), y.view<float>());
}

}  // namespace op
}  // namespace mend
