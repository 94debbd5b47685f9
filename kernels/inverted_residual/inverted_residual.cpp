#include "kernels/inverted_residual/inverted_residual.h"

#include <fmt/format.h>

#include "kernels/activation/gate.h"
#include "kernels/conv2d/variant.h"
#include "kernels/fused.h"
#include "kernels/inputs.h"

namespace mend {
namespace {

double strips_seconds(const op::InvertedResidual& op, const Shapes& in) {
  return op.cost(in).flops / (0.75 * NominalMachine::kFlopsPerSecond);
}

// clang-format off
constexpr InvertedResidualVariant kLadder[] = {
    // name                          device            cannot do                         modelled time   error  kernel
    {"inverted_residual/reference",  DeviceKind::kCpu, takes_f32_alone,                  slowest,        0,     {false, inverted_residual_reference_scratch, {inverted_residual_reference}}},
    {"inverted_residual/strips",     DeviceKind::kCpu, inverted_residual_strips_refuses, strips_seconds, 1e-5,  {true,  inverted_residual_strips_scratch,    {inverted_residual_strips, inverted_residual_strips_f16, inverted_residual_strips_bf16}}},
};
// clang-format on

}  // namespace

std::span<const InvertedResidualVariant> inverted_residual_ladder() { return kLadder; }

namespace op {
namespace {

/// With more, the weights (2042 x 384: 3 MB) would be fetched for too few pixels at a time, and images that
/// have so many channels are small: the single steps are as good.
constexpr int kMostHidden = 1024;
/// A vector of any instruction set, in each half of a gate.
constexpr int kLeastHidden = 32;

bool is_plain(const Conv2d& op, int kernel) {
  return op.kernel_h == kernel && op.kernel_w == kernel && op.stride == 1 && op.dilation == 1 &&
         op.padding_h == kernel / 2 && op.padding_w == kernel / 2 &&
         op.padding_mode == PaddingMode::kZeros && op.padding_bottom < 0 &&
         op.type == DType::kF32 && op.activation.kind != ActivationKind::kPrelu;
}

bool can_expand(const Conv2d& op) {
  return is_plain(op, 1) && op.groups == 1 && op.scale == 1 && !op.adds_residual;
}

bool can_follow(const Conv2d& op, int hidden) {
  return is_plain(op, 3) && op.groups == hidden && op.outputs == hidden && op.scale == 1 &&
         !op.adds_residual;
}

bool can_gate(const InvertedResidual& op) {
  return op.hidden() % 2 == 0 && op.depthwise.activation.kind == ActivationKind::kNone &&
         op.gate.kind != ActivationKind::kPrelu;
}

bool can_project(const Conv2d& op) {
  return is_plain(op, 1) && op.groups == 1 && op.activation.kind == ActivationKind::kNone;
}

/// The inputs of the parts alone, while weights are not packed.
Shapes of_expand(const Shapes& in) {
  return {in[InvertedResidual::kX], in[InvertedResidual::kExpandWeight],
          slot(in, InvertedResidual::kExpandBias)};
}
Shapes of_depthwise(const InvertedResidual& op, const Shapes& in) {
  const Shape& x = in[InvertedResidual::kX];
  return {{x.n, x.h, x.w, op.hidden()},
          in[InvertedResidual::kDepthwiseWeight],
          slot(in, InvertedResidual::kDepthwiseBias)};
}
Shapes of_project(const InvertedResidual& op, const Shapes& in) {
  const Shape& x = in[InvertedResidual::kX];
  return {{x.n, x.h, x.w, op.gated()},
          slot(in, InvertedResidual::kProjectWeight),
          slot(in, InvertedResidual::kProjectBias),
          {},
          slot(in, InvertedResidual::kResidual)};
}

/// My inputs up to the depthwise convolution's, nothing in the others' slots.
std::vector<FusedInput> inputs_so_far(const InvertedResidual& op) {
  const int count = op.projects ? InvertedResidual::kSlots : InvertedResidual::kProjectWeight;
  std::vector<FusedInput> inputs(InvertedResidual::kSlots);
  for (int i = 0; i < count; ++i) inputs[i] = {FusedInput::kMine, i};
  return inputs;
}

}  // namespace

InvertedResidual InvertedResidual::on(const InvertedResidualVariant& rung) const {
  InvertedResidual fixed = *this;
  fixed.variant = &rung;
  if (!rung.kernel.packs_weights) return fixed;
  fixed.expand.variant = fixed.project.variant = conv2d_rung(conv2d_direct);
  fixed.depthwise.variant = conv2d_rung(conv2d_depthwise);
  return fixed;
}

Shape InvertedResidual::shape(const Shapes& in) const {
  if (!can_expand(expand) || !can_follow(depthwise, hidden()) || (gates && !can_gate(*this)) ||
      (projects && !can_project(project))) {
    throw ShapeError(fmt::format("inverted_residual: {}, {} and {} are no such block",
                                 expand.describe(), depthwise.describe(), project.describe()));
  }
  const Shape& x = in[kX];
  norm.shape({x, slot(in, kGamma), slot(in, kBeta)});
  expand.shape(of_expand(in));
  depthwise.shape(of_depthwise(*this, in));
  if (projects) return project.shape(of_project(*this, in));
  return {x.n, x.h, x.w, gated()};
}

Cost InvertedResidual::cost(const Shapes& in) const {
  const Shape y = shape(in);
  const Shape& x = in[kX];
  const Shape gated_shape{x.n, x.h, x.w, gated()};
  double flops = norm.cost({x}).flops + 2.0 * static_cast<double>(x.pixels()) * hidden() * x.c +
                 18.0 * static_cast<double>(x.pixels()) * hidden();
  if (gates) flops += Gate{gate}.cost({gated_shape, gated_shape}).flops;
  if (projects) flops += 2.0 * static_cast<double>(x.pixels()) * gated() * project.outputs;
  const std::int64_t images = x.elements() + y.elements() + slot(in, kResidual).elements();
  std::int64_t constants = -x.elements() - slot(in, kResidual).elements();
  for (const Shape& shape : in) constants += shape.elements();
  return {flops, static_cast<double>(size_of(type)) * static_cast<double>(images) +
                     sizeof(float) * static_cast<double>(constants)};
}

Footprint InvertedResidual::footprint(const Shapes&) const { return {1, 1.0, 1, false}; }

std::string InvertedResidual::describe() const {
  const auto plain = [](Conv2d part) {
    part.variant = nullptr;
    return part.describe();
  };
  std::string text =
      fmt::format("{}, {} -> {}, {}", norm.describe(), plain(expand), hidden(), plain(depthwise));
  if (gates) text += fmt::format(", gate {}", mend::describe(gate));
  if (projects) text += fmt::format(", {}", plain(project));
  if (type != DType::kF32) text += fmt::format(" {}", name_of(type));
  if (variant != nullptr) text += fmt::format(" [{}]", variant->name);
  return text;
}

std::int64_t InvertedResidual::scratch_bytes(const Shapes& in) const {
  return variant != nullptr ? variant->kernel.scratch_bytes(*this, in) : 0;
}

namespace {

/// How the weight in `slot` is packed for the rung that `op` is fixed to.
std::optional<PackConv2dWeight> packing(const InvertedResidual& op, int slot) {
  switch (slot) {
    case InvertedResidual::kExpandWeight:
      return PackConv2dWeight{op.expand};
    case InvertedResidual::kDepthwiseWeight:
      return PackConv2dWeight{op.depthwise};
    case InvertedResidual::kProjectWeight:
      return PackConv2dWeight{op.project};
    default:
      return std::nullopt;
  }
}

}  // namespace

void InvertedResidual::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  if (variant == nullptr) {  // eager, as op::Conv2d does it
    const Shapes in = shapes_of(inputs);
    const InvertedResidual fixed =
        on(choose(inverted_residual_ladder(), *this, in, y.device().kind()));
    std::vector<Tensor> operands(inputs.begin(), inputs.end());
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const auto pack = packing(fixed, static_cast<int>(i));
      if (!fixed.variant->kernel.packs_weights || !pack || !operands[i].defined()) continue;
      operands[i] = mend::apply(*pack, {operands[i]});
    }
    const Storage memory(static_cast<std::size_t>(fixed.scratch_bytes(shapes_of(operands))),
                         y.device());
    return fixed.forward(operands, y, {memory.data(), memory.bytes()});
  }
  run_by_type(variant->kernel.run, type, [&]<class T>(InvertedResidualFunction<T> run) {
    const auto parameters = [&](Slot i) { return view_of<float>(inputs, i); };
    run({*this, view_of<T>(inputs, kX), parameters(kGamma), parameters(kBeta),
         parameters(kExpandWeight), parameters(kExpandBias), parameters(kDepthwiseWeight),
         parameters(kDepthwiseBias), parameters(kProjectWeight), parameters(kProjectBias),
         view_of<T>(inputs, kResidual), y.view<T>(), scratch});
  });
}

std::optional<Narrowed> InvertedResidual::narrow(const Shapes&, DType to, DeviceKind device) const {
  return narrow_on_cpu(*this, 1u << kX | 1u << kResidual, to, device);
}

std::optional<Lowering> InvertedResidual::lower(const Shapes& in) const {
  if (variant != nullptr) return std::nullopt;
  const InvertedResidual fixed =
      on(choose(inverted_residual_ladder(), *this, in, DeviceKind::kCpu));
  Lowering lowering{fixed, std::vector<std::optional<AnyOp>>(in.size())};
  if (!fixed.variant->kernel.packs_weights) return lowering;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i].empty()) continue;
    if (const auto pack = packing(fixed, static_cast<int>(i))) lowering.repack[i] = *pack;
  }
  return lowering;
}

std::optional<Fusion> InvertedResidual::absorb(const AnyOp& next, int position,
                                               const Shapes& in) const {
  if (variant != nullptr) return std::nullopt;
  InvertedResidual longer = *this;
  std::vector<FusedInput> inputs = inputs_so_far(*this);
  if (projects) {
    const std::optional<Fusion> fusion = project.absorb(next, position, in);
    if (!fusion) return std::nullopt;
    longer.project = *fusion->op.as<Conv2d>();
    inputs[kResidual] = fusion->inputs[Conv2d::kResidual];
    if (!can_project(longer.project)) return std::nullopt;
    return Fusion{longer, inputs};
  }
  if (const auto* activate = next.as<Activate>()) {
    longer.depthwise.activation = activate->activation;
    const bool can = !gates && depthwise.activation.kind == ActivationKind::kNone &&
                     can_follow(longer.depthwise, hidden());
    return can ? std::optional(Fusion{longer, inputs}) : std::nullopt;
  }
  const auto* linear = next.as<Conv2d>();
  if (linear == nullptr || position != Conv2d::kX || !can_project(*linear) ||
      linear->variant != nullptr) {
    return std::nullopt;
  }
  longer.projects = true;
  longer.project = *linear;
  inputs[kProjectWeight] = {FusedInput::kNext, Conv2d::kWeight};
  inputs[kProjectBias] = {FusedInput::kNext, Conv2d::kBias};
  inputs[kResidual] = {FusedInput::kNext, Conv2d::kResidual};
  return Fusion{longer, inputs};
}

std::optional<Fusion> InvertedResidual::absorb_through(const AnyOp& next, const ThroughViews& views,
                                                       const Shapes&) const {
  const auto found = gate_of_halves(next, views, hidden());
  if (!found || variant != nullptr || gates || projects) return std::nullopt;
  InvertedResidual longer = *this;
  longer.gates = true;
  longer.gate = *found;
  if (!can_gate(longer)) return std::nullopt;
  return Fusion{longer, inputs_so_far(*this)};
}

std::optional<Fusion> fuse_inverted_residual(const NormLinear& first, const Conv2d& depthwise,
                                             int position) {
  const bool forced = any_forced({NormLinear::kName, Conv2d::kName});
  const int J = first.linear.outputs;
  const bool fits = position == Conv2d::kX && first.variant == nullptr &&
                    depthwise.variant == nullptr && can_expand(first.linear) &&
                    can_follow(depthwise, J) && J >= kLeastHidden && J <= kMostHidden;
  if (!fits || forced) return std::nullopt;
  using Block = InvertedResidual;
  std::vector<FusedInput> inputs(Block::kSlots);
  inputs[Block::kX] = {FusedInput::kMine, NormLinear::kX};
  inputs[Block::kGamma] = {FusedInput::kMine, NormLinear::kGamma};
  inputs[Block::kBeta] = {FusedInput::kMine, NormLinear::kBeta};
  inputs[Block::kExpandWeight] = {FusedInput::kMine, NormLinear::kWeight};
  inputs[Block::kExpandBias] = {FusedInput::kMine, NormLinear::kBias};
  inputs[Block::kDepthwiseWeight] = {FusedInput::kNext, Conv2d::kWeight};
  inputs[Block::kDepthwiseBias] = {FusedInput::kNext, Conv2d::kBias};
  return Fusion{
      InvertedResidual{.norm = first.norm, .expand = first.linear, .depthwise = depthwise}, inputs};
}

}  // namespace op
}  // namespace mend
