#include "kernels/resample/gradient.h"

#include <memory_resource>
#include <vector>

#include "engine/scratch_memory.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/pool/pool.h"
#include "kernels/resample/taps.h"
#include "kernels/resample/variants.h"

namespace mend {
namespace {

TransposedTaps transposed(const Axis& axis, std::pmr::memory_resource* memory) {
  std::pmr::vector<double> weights(static_cast<std::size_t>(most_taps(axis)), memory);
  return {axis.input, axis.output,
          [&](const auto& add) {
            for (int p = 0; p < axis.output; ++p) {
              const Taps taps = taps_of(axis, p, weights.data());
              for (int t = 0; t < taps.count; ++t) {
                add(static_cast<int>(taps.first) + t, p, weights[static_cast<std::size_t>(t)]);
              }
            }
          },
          memory};
}

/// What that takes of `memory`.
std::int64_t transposed_bytes(const Axis& axis) {
  const std::int64_t most = most_taps(axis);
  return most * static_cast<std::int64_t>(sizeof(double)) +
         TransposedTaps::bytes(axis.input, most * axis.output);
}

void gradient_reference(const op::ResampleGradient& op, View<const float> dy, View<float> y,
                        Scratch) {
  separable_gradient_reference(transposed_rows(op, y.shape), transposed_columns(op, y.shape), dy,
                               y);
}

void gradient_lines(const op::ResampleGradient& op, View<const float> dy, View<float> y,
                    Scratch scratch) {
  ScratchMemory memory(
      scratch.subspan(static_cast<std::size_t>(separable_gradient_scratch(dy.shape))));
  separable_gradient_lines(transposed_rows(op, y.shape, &memory),
                           transposed_columns(op, y.shape, &memory), dy, y, scratch);
}

double lines_seconds(const op::ResampleGradient& op, const Shapes& in) {
  const Cost cost = op.cost(in);
  return 2 * cost.bytes / NominalMachine::kBytesPerSecond +
         cost.flops / NominalMachine::kFlopsPerSecond;
}

// clang-format off
constexpr Variant<op::ResampleGradient, ResampleGradientKernel> kLadder[] = {
    // name                             device             can it?        time                                     error  entry
    {"resample_gradient/reference",     DeviceKind::kCpu,  never_refuses, slowest,                                 0,     gradient_reference},
    {"resample_gradient/lines",         DeviceKind::kCpu,  never_refuses, lines_seconds,                           2e-6,  gradient_lines},
#ifdef MEND_HAS_CUDA
    {"resample_gradient/cuda_direct",   DeviceKind::kCuda, never_refuses, resample_gradient_cuda_direct_seconds,   2e-6,  resample_gradient_cuda_direct},
    {"resample_gradient/cuda_two_pass", DeviceKind::kCuda, never_refuses, resample_gradient_cuda_two_pass_seconds, 2e-6,  resample_gradient_cuda_two_pass},
#endif
};
// clang-format on

/// Whether every pixel of x stands for a whole block of y, and for no other.
bool repeats_pixels(const op::Resample& resample, const Shape& x) {
  const auto whole = [](int extent, int to, double scale) {
    return to % extent == 0 && (scale <= 0 || scale * extent == to);
  };
  return picks_pixels(resample.mode) && whole(x.h, resample.height, resample.scale_h) &&
         whole(x.w, resample.width, resample.scale_w);
}

}  // namespace

TransposedTaps transposed_rows(const op::ResampleGradient& op, const Shape& x,
                               std::pmr::memory_resource* memory) {
  return transposed(rows_of(op.resample, x), memory);
}
TransposedTaps transposed_columns(const op::ResampleGradient& op, const Shape& x,
                                  std::pmr::memory_resource* memory) {
  return transposed(columns_of(op.resample, x), memory);
}

std::span<const Variant<op::ResampleGradient, ResampleGradientKernel>> resample_gradient_ladder() {
  return kLadder;
}

namespace op {

Tensors Resample::backward(const Backward& call) const {
  const Shape x = call.inputs[0].shape();
  if (!repeats_pixels(*this, x)) return {apply(ResampleGradient{*this, x.h, x.w}, {call.dy})};
  const int rows = height / x.h, columns = width / x.w;
  const Tensor mean =
      rows == columns
          ? apply(Pool{.kind = PoolKind::kAverage, .kernel = rows, .stride = rows}, {call.dy})
          : apply(AdaptivePool{.kind = PoolKind::kAverage, .height = x.h, .width = x.w}, {call.dy});
  return {apply(Affine{.scale = static_cast<float>(rows) * static_cast<float>(columns)}, {mean})};
}

Saves Resample::saves(const std::vector<bool>&) const { return {}; }

Shape ResampleGradient::shape(const Shapes& in) const {
  const Shape& dy = in[0];
  const Shape x{dy.n, height, width, dy.c};
  if (height < 1 || width < 1 || resample.shape({x}) != dy) {
    throw ShapeError(fmt::format("resample_gradient: {} does not come of {} by {}", to_string(dy),
                                 to_string(x), resample.describe()));
  }
  return x;
}

Cost ResampleGradient::cost(const Shapes& in) const { return resample.cost({shape(in)}); }

Footprint ResampleGradient::footprint(const Shapes&) const { return {.global = true}; }

std::string ResampleGradient::describe() const {
  return fmt::format("{} from {}x{}", resample.describe(), width, height);
}

std::int64_t ResampleGradient::scratch_bytes(const Shapes& in) const {
  const Shape x = shape(in);
  return separable_gradient_scratch(in[0]) + transposed_bytes(rows_of(resample, x)) +
         transposed_bytes(columns_of(resample, x));
}

void ResampleGradient::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung =
      choose(resample_gradient_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[0].view<const float>(), y.view<float>(), scratch);
}

}  // namespace op
}  // namespace mend
