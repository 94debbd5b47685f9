#include "kernels/pad/pad.h"

#include <algorithm>
#include <cassert>
#include <limits>

#include "kernels/cuda/machine.h"
#include "kernels/pad/variants.h"
#include "kernels/rows.h"

namespace mend {
namespace {

double pad_seconds(const op::Pad& pad, const Shapes& in) {
  return pad.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

#ifdef MEND_HAS_CUDA
double pad_cuda_seconds(const op::Pad& pad, const Shapes& in) {
  return pad.cost(in).bytes / NominalGpu::kBytesPerSecond;
}
#endif

// clang-format off
constexpr Variant<op::Pad, PadKernel> kLadder[] = {
    // name           device             can it?        time              error  entry
    {"pad/reference", DeviceKind::kCpu,  takes_f32_alone, slowest,        0,     pad_reference},
    {"pad/rows",      DeviceKind::kCpu,  takes_f32_alone, pad_seconds,    0,     pad_rows},
#ifdef MEND_HAS_CUDA
    {"pad/cuda",      DeviceKind::kCuda, never_refuses, pad_cuda_seconds, 0, {pad_cuda, pad_cuda_narrow}},
#endif
};
// clang-format on

constexpr std::string_view name_of(PadMode mode) {
  constexpr std::string_view kNames[] = {"constant", "reflect", "replicate", "circular",
                                         "symmetric"};
  return kNames[static_cast<std::size_t>(mode)];
}

/// The most pixels that `mode` can add on one side of an image with `extent` of them.
int most(PadMode mode, int extent) {
  switch (mode) {
    case PadMode::kReflect:
      return extent - 1;
    case PadMode::kCircular:
    case PadMode::kSymmetric:
      return extent;
    case PadMode::kConstant:
    case PadMode::kReplicate:
      break;
  }
  return std::numeric_limits<int>::max();
}

}  // namespace

std::span<const Variant<op::Pad, PadKernel>> pad_ladder() { return kLadder; }

namespace op {

Shape Pad::shape(const Shapes& in) const {
  assert(in.size() == 1);
  const Shape& x = in[0];
  if (std::min({top, bottom, left, right}) < 0) {
    throw ShapeError(
        fmt::format("pad: {} on {} takes pixels away; crop does that", describe(), to_string(x)));
  }
  if (std::max(top, bottom) > most(mode, x.h) || std::max(left, right) > most(mode, x.w)) {
    throw ShapeError(
        fmt::format("pad: {} needs more pixels than {} has; at most {} rows and {} "
                    "columns fit",
                    describe(), to_string(x), most(mode, x.h), most(mode, x.w)));
  }
  return {x.n, x.h + top + bottom, x.w + left + right, x.c};
}

Cost Pad::cost(const Shapes& in) const {
  const std::int64_t moved = in[0].elements() + shape(in).elements();
  return {0, static_cast<double>(size_of(type)) * static_cast<double>(moved)};
}

std::optional<Narrowed> Pad::narrow(const Shapes&, DType to) const {
  return narrow_inputs(*this, 1, to);
}

Footprint Pad::footprint(const Shapes&) const {
  const bool pads = std::max({top, bottom, left, right}) > 0;
  return {0, 1, 1, pads && mode == PadMode::kCircular};
}

std::string Pad::describe() const {
  return fmt::format("{} top {} bottom {} left {} right {}", name_of(mode), top, bottom, left,
                     right);
}

void Pad::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(pad_ladder(), *this, shapes_of(inputs), y.device().kind());
  if (type != DType::kF32) return rung.kernel.narrow(*this, inputs, y);
  rung.kernel(*this, inputs[0].view<const float>(), y.view<float>());
}

Shape Crop::shape(const Shapes& in) const {
  assert(in.size() == 1);
  const Shape& x = in[0];
  if (top < 0 || left < 0 || h < 1 || w < 1 || h > x.h || w > x.w || top > x.h - h ||
      left > x.w - w) {
    throw ShapeError(
        fmt::format("crop: the window {} does not lie in {}", describe(), to_string(x)));
  }
  return {x.n, h, w, x.c};
}

Cost Crop::cost(const Shapes&) const { return {}; }

Footprint Crop::footprint(const Shapes&) const { return {}; }

std::string Crop::describe() const {
  return fmt::format("{}x{} at row {}, column {}", w, h, top, left);
}

void Crop::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const View<const float> from = view(inputs[0])->view<const float>();
  const View<float> to = y.view<float>();
  for_each_run(to.shape, [&](const Run& run) {
    copy_run(from.pixel(run.n, run.h, run.w), from.w_stride, to.pixel(run.n, run.h, run.w),
             to.w_stride, run.count, to.shape.c);
  });
}

std::optional<Tensor> Crop::view(const Tensor& x) const { return x.crop(top, left, h, w); }

}  // namespace op
}  // namespace mend
