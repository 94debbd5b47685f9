#include "kernels/pixel_loss/pixel_loss.h"

#include <fmt/format.h>

#include "kernels/cuda/memory_seconds.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/pixel_loss/cuda.h"
#include "kernels/pixel_loss/rungs.h"

namespace mend {
namespace {

template <class Op>
double memory_seconds(const Op& op, const Shapes& in) {
  return op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

// clang-format off
constexpr Variant<op::PixelLossValue, PixelLossKernel> kValueLadder[] = {
    // name                      device             can it?        time                error  entry
    {"pixel_loss_value/rows",    DeviceKind::kCpu,  never_refuses, memory_seconds,     0,     pixel_loss_value_rows},
#ifdef MEND_HAS_CUDA
    {"pixel_loss_value/cuda",    DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 1e-6,  pixel_loss_value_cuda},
#endif
};
constexpr Variant<op::PixelLossGradient, PixelLossKernel> kGradientLadder[] = {
    {"pixel_loss_gradient/rows", DeviceKind::kCpu,  never_refuses, memory_seconds,     0,     pixel_loss_gradient_rows},
#ifdef MEND_HAS_CUDA
    {"pixel_loss_gradient/cuda", DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 1e-6,  pixel_loss_gradient_cuda},
#endif
};
// clang-format on

void check_call(const PixelLoss& loss, const Shape& x, const Shape& target) {
  check_parameter(loss);
  if (x == target && !x.empty()) return;
  throw ShapeError(fmt::format("{}_loss: the prediction is {}, but the target {}",
                               name_of(loss.kind), to_string(x), to_string(target)));
}

Cost cost_of(const Shape& x, std::int64_t written) {
  const double elements = static_cast<double>(x.elements());
  return {4 * elements, sizeof(float) * (2 * elements + static_cast<double>(written))};
}

std::string describe(const PixelLoss& loss) {
  std::string text(name_of(loss.kind));
  if (loss.parameter != 0) {
    text += fmt::format(" {}", loss.parameter);
  }
  if (loss.weight != 1) text += fmt::format(" x {}", loss.weight);
  return text;
}

template <class Op, class Kernel>
void run(std::span<const Variant<Op, Kernel>> ladder, const Op& op, Inputs inputs,
         const Tensor& y) {
  const auto& rung = choose(ladder, op, shapes_of(inputs), y.device().kind());
  rung.kernel(op.loss, inputs[Op::kX].template view<const float>(),
              inputs[Op::kTarget].template view<const float>(), y.view<float>());
}

}  // namespace

std::string_view name_of(PixelLossKind kind) {
  constexpr std::string_view kNames[] = {"l1",        "mse",         "smooth_l1", "charbonnier",
                                         "logarithm", "root",        "known_l1",  "logistic",
                                         "hinge",     "wasserstein", "known"};
  return kNames[static_cast<std::size_t>(kind)];
}

void check_parameter(const PixelLoss& loss) {
  const double parameter = loss.parameter;
  if (loss.kind == PixelLossKind::kSmoothL1 && !(parameter >= 0)) {
    throw UsageError(fmt::format("smooth_l1_loss: beta is {}; it must be 0 or more", parameter));
  }
  const bool has_eps =
      loss.kind == PixelLossKind::kCharbonnier || loss.kind == PixelLossKind::kLogarithm;
  if (has_eps && !(parameter > 0)) {
    throw UsageError(
        fmt::format("{}_loss: eps is {}; it must be above 0", name_of(loss.kind), parameter));
  }
}

std::span<const Variant<op::PixelLossValue, PixelLossKernel>> pixel_loss_value_ladder() {
  return kValueLadder;
}
std::span<const Variant<op::PixelLossGradient, PixelLossKernel>> pixel_loss_gradient_ladder() {
  return kGradientLadder;
}

namespace op {

Shape PixelLossValue::shape(const Shapes& in) const {
  check_call(loss, in[kX], in[kTarget]);
  return vector_shape(1);
}
Cost PixelLossValue::cost(const Shapes& in) const { return cost_of(in[kX], 1); }
Footprint PixelLossValue::footprint(const Shapes&) const { return {.global = true}; }
std::string PixelLossValue::describe() const { return mend::describe(loss); }
void PixelLossValue::forward(Inputs inputs, const Tensor& y, Scratch) const {
  run(pixel_loss_value_ladder(), *this, inputs, y);
}
Tensors PixelLossValue::backward(const Backward& call) const {
  if (!call.wants(kX)) return {Tensor(), Tensor()};
  const Tensor slope = apply(PixelLossGradient{loss}, {call.inputs[kX], call.inputs[kTarget]});
  return {apply(Binary{BinaryKind::kMultiply}, {slope, call.dy}), Tensor()};
}
Saves PixelLossValue::saves(const std::vector<bool>&) const { return {.inputs = 0b11}; }

Shape PixelLossGradient::shape(const Shapes& in) const {
  check_call(loss, in[kX], in[kTarget]);
  return in[kX];
}
Cost PixelLossGradient::cost(const Shapes& in) const { return cost_of(in[kX], in[kX].elements()); }
Footprint PixelLossGradient::footprint(const Shapes&) const { return {}; }
std::string PixelLossGradient::describe() const { return mend::describe(loss); }
void PixelLossGradient::forward(Inputs inputs, const Tensor& y, Scratch) const {
  run(pixel_loss_gradient_ladder(), *this, inputs, y);
}

}  // namespace op
}  // namespace mend
