#include "kernels/deform_conv2d/deform_conv2d.h"

#include <algorithm>
#include <cassert>

#include "kernels/deform_conv2d/rungs.h"
#include "kernels/inputs.h"

namespace mend {
namespace {

/// The product runs at about half of the peak, sampling at a tenth.
double columns_seconds(const op::DeformConv2d& op, const Shapes& in) {
  const Cost cost = op.cost(in);
  return 3 * cost.flops / NominalMachine::kFlopsPerSecond +
         cost.bytes / NominalMachine::kBytesPerSecond;
}

// clang-format off
constexpr Variant<op::DeformConv2d, DeformConv2dKernel> kLadder[] = {
    // name                        device             can it?        time                                error  entry
    {"deform_conv2d/reference",    DeviceKind::kCpu,  never_refuses, slowest,                            0,     {nullptr, deform_conv2d_reference}},
    {"deform_conv2d/columns",      DeviceKind::kCpu,  never_refuses, columns_seconds,                    1e-5,  {deform_conv2d_columns_scratch, deform_conv2d_columns}},
#ifdef MEND_HAS_CUDA
    {"deform_conv2d/cuda_naive",   DeviceKind::kCuda, never_refuses, deform_conv2d_cuda_naive_seconds,   1e-5,  {nullptr, deform_conv2d_cuda_naive}},
    {"deform_conv2d/cuda_columns", DeviceKind::kCuda, never_refuses, deform_conv2d_cuda_columns_seconds, 1e-3,  {nullptr, deform_conv2d_cuda_columns}},
#endif
};
// clang-format on

/// P or Q: how many outputs fit along one side; less than 1 if none does.
std::int64_t output_extent(std::int64_t extent, int kernel, int stride, int padding, int dilation) {
  const std::int64_t room = extent + 2 * padding - std::int64_t{dilation} * (kernel - 1) - 1;
  return room < 0 ? 0 : room / stride + 1;
}

void check(const std::string& what, const Shape& shape, const Shape& wanted) {
  if (shape == wanted) return;
  throw ShapeError(fmt::format("deform_conv2d: {} is {}, but must be {}", what, to_string(shape),
                               to_string(wanted)));
}

}  // namespace

std::span<const Variant<op::DeformConv2d, DeformConv2dKernel>> deform_conv2d_ladder() {
  return kLadder;
}

DeformConv2dCall deform_conv2d_call(const op::DeformConv2d& op, Inputs inputs, const Tensor& y,
                                    Scratch scratch) {
  using enum op::DeformConv2d::Slot;
  return {op,
          view_of<float>(inputs, kX),
          view_of<float>(inputs, kOffset),
          view_of<float>(inputs, kMask),
          view_of<float>(inputs, kWeight),
          view_of<float>(inputs, kBias),
          y.view<float>(),
          scratch};
}

namespace op {

Shape DeformConv2d::shape(const Shapes& in) const {
  assert(in.size() > kWeight && in.size() <= kSlots);
  const Shape &x = in[kX], &weight = in[kWeight];
  if (groups < 1 || offset_groups < 1 || x.c % groups != 0 || x.c % offset_groups != 0 ||
      weight.n % std::max(groups, 1) != 0) {
    throw ShapeError(
        fmt::format("deform_conv2d: x {} and weight {} cannot be cut into {} groups "
                    "and {} offset groups",
                    to_string(x), to_string(weight), groups, offset_groups));
  }
  check("weight", weight, {weight.n, kernel_h, kernel_w, x.c / groups});
  const std::int64_t P = output_extent(x.h, kernel_h, stride, padding_h, dilation);
  const std::int64_t Q = output_extent(x.w, kernel_w, stride, padding_w, dilation);
  if (P < 1 || Q < 1) {
    throw ShapeError(
        fmt::format("deform_conv2d: x {} is smaller than the kernel, {}x{} with "
                    "dilation {} and padding {}, {}",
                    to_string(x), kernel_h, kernel_w, dilation, padding_h, padding_w));
  }
  const Shape y{x.n, static_cast<int>(P), static_cast<int>(Q), weight.n};
  const int taps = offset_groups * kernel_h * kernel_w;
  check("offset", in[kOffset], {y.n, y.h, y.w, 2 * taps});
  if (!in[kMask].empty()) check("mask", in[kMask], {y.n, y.h, y.w, taps});
  if (const Shape bias = slot(in, kBias); !bias.empty()) check("bias", bias, vector_shape(y.c));
  return y;
}

Cost DeformConv2d::cost(const Shapes& in) const {
  const Shape y = shape(in);
  const double columns = static_cast<double>(y.pixels()) * kernel_h * kernel_w * in[kX].c;
  std::int64_t moved = y.elements();
  for (const Shape& input : in) moved += input.elements();
  // Each number of a column is four weighted pixels, and meets K / groups weights.
  return {columns * (8 + 2.0 * y.c / groups), sizeof(float) * static_cast<double>(moved)};
}

Footprint DeformConv2d::footprint(const Shapes&) const { return {0, 1.0 / stride, stride, true}; }

std::string DeformConv2d::describe() const {
  return fmt::format("{}x{} stride {} padding {},{} dilation {} groups {} offset groups {}",
                     kernel_h, kernel_w, stride, padding_h, padding_w, dilation, groups,
                     offset_groups);
}

std::int64_t DeformConv2d::scratch_bytes(const Shapes& in) const {
  const auto& rung = choose(deform_conv2d_ladder(), *this, in, DeviceKind::kCpu);
  return rung.kernel.scratch_bytes == nullptr ? 0 : rung.kernel.scratch_bytes(*this, in);
}

void DeformConv2d::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung = choose(deform_conv2d_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel.run(deform_conv2d_call(*this, inputs, y, scratch));
}

}  // namespace op
}  // namespace mend
