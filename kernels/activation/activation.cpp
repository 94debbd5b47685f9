#include "kernels/activation/activation.h"

#include <fmt/format.h>

#include "kernels/activation/cuda.h"
#include "kernels/activation/gate.h"
#include "kernels/activation/rungs.h"
#include "kernels/cuda/memory_seconds.h"
#include "kernels/elementwise/elementwise.h"

namespace mend {
namespace {

/// FLOPs of one element, roughly: those with an exponential cost a polynomial and a division.
double flops_per_element(ActivationKind kind) {
  switch (kind) {
    case ActivationKind::kNone:
    case ActivationKind::kRelu:
    case ActivationKind::kRelu6:
      return 1;
    case ActivationKind::kLeakyRelu:
    case ActivationKind::kPrelu:
      return 2;
    case ActivationKind::kHardSigmoid:
    case ActivationKind::kHardSwish:
      return 4;
    default:
      return 30;
  }
}

double memory_time(const op::Activate& op, const Shapes& in) {
  const Cost cost = op.cost(in);
  return cost.bytes / NominalMachine::kBytesPerSecond +
         cost.flops / NominalMachine::kFlopsPerSecond;
}

constexpr Variant<op::Activate, ActivationKernel> kLadder[] = {
    {"activation/reference", DeviceKind::kCpu, takes_f32_alone, slowest, 0, activation_reference},
    {"activation/simd", DeviceKind::kCpu, takes_f32_alone, memory_time, 1e-6, activation_simd},
#ifdef MEND_HAS_CUDA
    {"activation/cuda",
     DeviceKind::kCuda,
     never_refuses,
     gpu_memory_seconds,
     3e-6,
     {activation_cuda, activation_cuda_narrow}},
#endif
};

}  // namespace

std::string_view name_of(ActivationKind kind) {
  constexpr std::string_view kNames[] = {
      "none", "relu",    "relu6", "leaky_relu", "prelu", "elu",         "gelu",     "gelu_tanh",
      "silu", "sigmoid", "tanh",  "softplus",   "mish",  "hardsigmoid", "hardswish"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::span<const Variant<op::Activate, ActivationKernel>> activation_ladder() { return kLadder; }

void check_slope(std::string_view op, const Activation& activation, const Shape& slope, int c) {
  if (activation.kind != ActivationKind::kPrelu) return;
  if (slope == vector_shape(c) || slope == vector_shape(1)) return;
  throw ShapeError(
      fmt::format("{}: PReLU slope is {}, but {} channels take [1,1,1,{}] or [1,1,1,1]", op,
                  to_string(slope), c, c));
}

namespace op {

Shape Activate::shape(const Shapes& in) const {
  check_slope(kName, activation, in.size() > kSlope ? in[kSlope] : Shape{}, in[kX].c);
  return in[kX];
}

Cost Activate::cost(const Shapes& in) const {
  const double elements = static_cast<double>(in[kX].elements());
  return {elements * flops_per_element(activation.kind),
          2 * elements * static_cast<double>(size_of(type))};
}

Footprint Activate::footprint(const Shapes&) const { return {}; }

std::string Activate::describe() const { return mend::describe(activation); }

std::optional<RowPart> Activate::row_part(const Shapes& in, RowRange y) const {
  return same_rows(*this, in, in[kX].h, y);
}

std::optional<Narrowed> Activate::narrow(const Shapes& in, DType to) const {
  return narrow_inputs(*this, in.size(), to);
}

std::optional<Fusion> Activate::absorb(const AnyOp& next, int position, const Shapes& in) const {
  const auto* product = next.as<Binary>();
  const bool is_gate = product != nullptr && product->kind == BinaryKind::kMultiply &&
                       in[Binary::kX] == in[Binary::kZ] && type == DType::kF32 &&
                       product->type == DType::kF32 && activation.kind != ActivationKind::kPrelu;
  if (!is_gate || !forced_variant(kName).empty()) return std::nullopt;
  return Fusion{Gate{activation}, {{FusedInput::kMine, kX}, {FusedInput::kNext, 1 - position}}};
}

void Activate::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(activation_ladder(), *this, shapes_of(inputs), y.device().kind());
  if (type != DType::kF32) return rung.kernel.narrow(*this, inputs, y);
  const View<const float> slope =
      inputs.size() > kSlope ? inputs[kSlope].view<const float>() : View<const float>{};
  rung.kernel(activation, inputs[kX].view<const float>(), slope, y.view<float>());
}

}  // namespace op

std::string describe(const Activation& activation) {
  const bool has_parameter =
      activation.kind == ActivationKind::kLeakyRelu || activation.kind == ActivationKind::kElu;
  if (!has_parameter) return std::string(name_of(activation.kind));
  return fmt::format("{} {}", name_of(activation.kind), activation.parameter);
}

}  // namespace mend
