#include "kernels/norm_mlp/norm_mlp.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/activation/gate.h"
#include "kernels/fused.h"
#include "kernels/inputs.h"
#include "kernels/token_panels.h"

namespace mend {
namespace {

double panels_seconds(const op::NormMlp& op, const Shapes& in) {
  return op.cost(in).flops / (0.85 * NominalMachine::kFlopsPerSecond);
}

// clang-format off
constexpr NormMlpVariant kLadder[] = {
    // name                 device            cannot do      modelled time   error  kernel
    {"norm_mlp/reference",  DeviceKind::kCpu, takes_f32_alone, slowest,        0,     {false, norm_mlp_reference_scratch, {norm_mlp_reference}}},
    {"norm_mlp/panels",     DeviceKind::kCpu, never_refuses,   panels_seconds, 1e-5,  {true,  norm_mlp_panels_scratch,    {norm_mlp_panels, norm_mlp_panels_f16, norm_mlp_panels_bf16}}},
};
// clang-format on

}  // namespace

std::span<const NormMlpVariant> norm_mlp_ladder() { return kLadder; }

namespace op {
namespace {

/// 64 tokens of them are 256 kB, half of a small L2.
constexpr int kMostHidden = 1024;

bool can_expand(const Conv2d& op) {
  return is_pointwise(op) && op.variant == nullptr &&
         op.activation.kind != ActivationKind::kPrelu && op.scale == 1 && !op.adds_residual;
}

bool can_contract(const Conv2d& op) {
  return is_pointwise(op) && op.variant == nullptr && op.activation.kind == ActivationKind::kNone;
}

bool can_gate(const NormMlp& op) {
  return op.expand.outputs % 2 == 0 && op.expand.activation.kind == ActivationKind::kNone &&
         op.gate.kind != ActivationKind::kPrelu;
}

PackTokenWeight packing(int slot) {
  return {.is_bias = slot == NormMlp::kBias1 || slot == NormMlp::kBias2};
}

/// The inputs of the two linear layers alone, while weights are not packed.
Shapes of_expand(const Shapes& in) {
  return {in[NormMlp::kX], in[NormMlp::kWeight1], slot(in, NormMlp::kBias1)};
}
Shapes of_contract(const NormMlp& op, const Shapes& in) {
  const Shape& x = in[NormMlp::kX];
  return {{x.n, x.h, x.w, op.gated()},
          slot(in, NormMlp::kWeight2),
          slot(in, NormMlp::kBias2),
          {},
          slot(in, NormMlp::kResidual)};
}

}  // namespace

Shape NormMlp::shape(const Shapes& in) const {
  if (!can_expand(expand) || !can_contract(contract) || (gates && !can_gate(*this)) ||
      !(gates || contracts)) {
    throw ShapeError(fmt::format("norm_mlp: {} and {} are no pair of plain linear layers",
                                 expand.describe(), contract.describe()));
  }
  const Shape& x = in[kX];
  const Shape y{x.n, x.h, x.w, contracts ? contract.outputs : gated()};
  norm.shape({x, slot(in, kGamma), slot(in, kBeta)});
  if (variant != nullptr) return y;
  expand.shape(of_expand(in));
  return contracts ? contract.shape(of_contract(*this, in)) : y;
}

Cost NormMlp::cost(const Shapes& in) const {
  const Shape& x = in[kX];
  const double pixels = static_cast<double>(x.pixels());
  const Shape gated_shape{x.n, x.h, x.w, gated()};
  const double weights = static_cast<double>(expand.outputs) * x.c +
                         (contracts ? static_cast<double>(gated()) * contract.outputs : 0);
  double flops = norm.cost({x}).flops + 2 * pixels * weights;
  if (gates) flops += Gate{gate}.cost({gated_shape, gated_shape}).flops;
  const std::int64_t images = x.elements() + x.pixels() * (contracts ? contract.outputs : gated()) +
                              slot(in, kResidual).elements();
  std::int64_t constants = -x.elements() - slot(in, kResidual).elements();
  for (const Shape& shape : in) constants += shape.elements();
  return {flops, static_cast<double>(size_of(type)) * static_cast<double>(images) +
                     sizeof(float) * static_cast<double>(constants)};
}

Footprint NormMlp::footprint(const Shapes&) const { return {}; }

std::string NormMlp::describe() const {
  std::string text =
      fmt::format("{}, {} -> {}", norm.describe(), expand.describe(), expand.outputs);
  if (gates) text += fmt::format(", gate {}", mend::describe(gate));
  if (contracts) text += fmt::format(", {}", contract.describe());
  if (type != DType::kF32) text += fmt::format(" {}", name_of(type));
  if (variant != nullptr) text += fmt::format(" [{}]", variant->name);
  return text;
}

std::int64_t NormMlp::scratch_bytes(const Shapes& in) const {
  return variant != nullptr ? variant->kernel.scratch_bytes(*this, in) : 0;
}

void NormMlp::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  if (variant == nullptr) {  // eager, as op::Conv2d does it
    const Shapes in = shapes_of(inputs);
    NormMlp fixed = *this;
    fixed.variant = &choose(norm_mlp_ladder(), *this, in, y.device().kind());
    std::vector<Tensor> operands(inputs.begin(), inputs.end());
    for (const int i : {kWeight1, kBias1, kWeight2, kBias2}) {
      if (!fixed.variant->kernel.packs_weights || !operands[i].defined()) continue;
      operands[i] = mend::apply(packing(i), {operands[i]});
    }
    const Storage memory(static_cast<std::size_t>(fixed.scratch_bytes(shapes_of(operands))),
                         y.device());
    return fixed.forward(operands, y, {memory.data(), memory.bytes()});
  }
  run_by_type(variant->kernel.run, type, [&]<class T>(NormMlpFunction<T> run) {
    const auto parameters = [&](Slot i) { return view_of<float>(inputs, i); };
    run({*this, view_of<T>(inputs, kX), parameters(kWeight1), parameters(kBias1),
         parameters(kWeight2), parameters(kBias2), view_of<T>(inputs, kResidual),
         parameters(kGamma), parameters(kBeta), y.view<T>(), scratch});
  });
}

std::optional<Narrowed> NormMlp::narrow(const Shapes&, DType to, DeviceKind device) const {
  return narrow_on_cpu(*this, 1u << kX | 1u << kResidual, to, device);
}

std::optional<Fusion> NormMlp::absorb(const AnyOp& next, int position, const Shapes& in) const {
  if (variant != nullptr) return std::nullopt;
  NormMlp longer = *this;
  std::vector<FusedInput> inputs;
  for (int i = 0; i < kSlots; ++i) inputs.push_back({FusedInput::kMine, i});
  if (contracts) {
    const std::optional<Fusion> fusion = contract.absorb(next, position, in);
    if (!fusion) return std::nullopt;
    longer.contract = *fusion->op.as<Conv2d>();
    inputs[kResidual] = fusion->inputs[Conv2d::kResidual];
  } else {
    const auto* second = next.as<Conv2d>();
    if (second == nullptr || position != Conv2d::kX) return std::nullopt;
    longer.contracts = true;
    longer.contract = *second;
    inputs[kWeight2] = {FusedInput::kNext, Conv2d::kWeight};
    inputs[kBias2] = {FusedInput::kNext, Conv2d::kBias};
    inputs[kResidual] = {FusedInput::kNext, Conv2d::kResidual};
  }
  if (!can_contract(longer.contract)) return std::nullopt;
  return Fusion{longer, inputs};
}

std::optional<Lowering> NormMlp::lower(const Shapes& in) const {
  if (variant != nullptr) return std::nullopt;
  NormMlp fixed = *this;
  fixed.variant = &choose(norm_mlp_ladder(), *this, in, DeviceKind::kCpu);
  Lowering lowering{fixed, std::vector<std::optional<AnyOp>>(in.size())};
  if (!fixed.variant->kernel.packs_weights) return lowering;
  for (const int i : {kWeight1, kBias1, kWeight2, kBias2}) lowering.repack[i] = packing(i);
  return lowering;
}

std::optional<Fusion> fuse_mlp(const NormLinear& first, const Conv2d& second, int position) {
  const bool forced = any_forced({NormLinear::kName, Conv2d::kName});
  const bool fits = position == Conv2d::kX && first.variant == nullptr &&
                    can_expand(first.linear) && can_contract(second) &&
                    first.linear.outputs <= kMostHidden;
  if (!fits || forced) return std::nullopt;
  std::vector<FusedInput> inputs(NormMlp::kSlots);
  inputs[NormMlp::kX] = {FusedInput::kMine, NormLinear::kX};
  inputs[NormMlp::kWeight1] = {FusedInput::kMine, NormLinear::kWeight};
  inputs[NormMlp::kBias1] = {FusedInput::kMine, NormLinear::kBias};
  inputs[NormMlp::kWeight2] = {FusedInput::kNext, Conv2d::kWeight};
  inputs[NormMlp::kBias2] = {FusedInput::kNext, Conv2d::kBias};
  inputs[NormMlp::kResidual] = {FusedInput::kNext, Conv2d::kResidual};
  inputs[NormMlp::kGamma] = {FusedInput::kMine, NormLinear::kGamma};
  inputs[NormMlp::kBeta] = {FusedInput::kMine, NormLinear::kBeta};
  return Fusion{NormMlp{first.norm, first.linear, second}, inputs};
}

std::optional<Fusion> fuse_gate(const NormLinear& first, const AnyOp& next,
                                const ThroughViews& views) {
  const auto gate = gate_of_halves(next, views, first.linear.outputs);
  const bool forced = any_forced({NormLinear::kName, Conv2d::kName});
  if (!gate || forced || first.variant != nullptr || !can_expand(first.linear) ||
      first.linear.outputs > kMostHidden) {
    return std::nullopt;
  }
  const NormMlp both{.norm = first.norm,
                     .expand = first.linear,
                     .contract = {},
                     .gates = true,
                     .gate = *gate,
                     .contracts = false};
  if (!can_gate(both)) return std::nullopt;
  std::vector<FusedInput> inputs(NormMlp::kSlots);
  inputs[NormMlp::kX] = {FusedInput::kMine, NormLinear::kX};
  inputs[NormMlp::kWeight1] = {FusedInput::kMine, NormLinear::kWeight};
  inputs[NormMlp::kBias1] = {FusedInput::kMine, NormLinear::kBias};
  inputs[NormMlp::kGamma] = {FusedInput::kMine, NormLinear::kGamma};
  inputs[NormMlp::kBeta] = {FusedInput::kMine, NormLinear::kBeta};
  return Fusion{both, inputs};
}

}  // namespace op
}  // namespace mend
