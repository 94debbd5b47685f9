#include "kernels/window_block/window_block.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/channels/channels.h"
#include "kernels/fused.h"
#include "kernels/inputs.h"
#include "kernels/token_panels.h"

namespace mend {
namespace {

double panels_seconds(const op::WindowBlock& op, const Shapes& in) {
  return op.cost(in).flops / (0.85 * NominalMachine::kFlopsPerSecond);
}

// clang-format off
constexpr WindowBlockVariant kLadder[] = {
    // name                     device            cannot do                    modelled time   error  kernel
    {"window_block/reference",  DeviceKind::kCpu, takes_f32_alone,             slowest,        0,     {false, window_block_reference_scratch, {window_block_reference}}},
    {"window_block/panels",     DeviceKind::kCpu, window_block_panels_refuses, panels_seconds, 1e-5,  {true,  window_block_panels_scratch,    {window_block_panels, window_block_panels_f16, window_block_panels_bf16}}},
};
// clang-format on

}  // namespace

std::span<const WindowBlockVariant> window_block_ladder() { return kLadder; }

namespace op {
namespace {

constexpr float kLog2E = 1.44269504f;

bool is_linear(const Conv2d& op) {
  return is_pointwise(op) && op.variant == nullptr && op.activation.kind == ActivationKind::kNone;
}
bool has_bias_alone(const Conv2d& op) {
  return is_linear(op) && op.scale == 1 && !op.adds_residual;
}

/// What repacks a slot's operand for the panels.
std::optional<AnyOp> packing(const WindowBlock& op, int slot) {
  const int C = op.qkv.outputs / 3;
  switch (slot) {
    case WindowBlock::kQkvWeight:
    case WindowBlock::kQkvBias:  // of q's rows: a score is then the power of two that softmax wants
      return PackTokenWeight{slot == WindowBlock::kQkvBias, C, op.attention.scale * kLog2E};
    case WindowBlock::kProjection:
    case WindowBlock::kProjectionBias:
      return PackTokenWeight{slot == WindowBlock::kProjectionBias};
    case WindowBlock::kBias:
      return PackWindowBias{};
    default:
      return std::nullopt;
  }
}

/// The inputs of the attention in [3C] slices of the qkv layer.
Shapes of_attention(const Shapes& in) {
  const Shape& x = in[WindowBlock::kX];
  return {x, x, x};
}

}  // namespace

Shape WindowBlock::shape(const Shapes& in) const {
  const Shape& x = in[kX];
  if (!has_bias_alone(qkv) || qkv.outputs != 3 * x.c || (project && !is_linear(*project)) ||
      attention.keys() != attention.queries()) {
    throw ShapeError(
        fmt::format("window_block: {} of {} outputs on x {}, {} and {} are no attention block",
                    qkv.describe(), qkv.outputs, to_string(x), attention.describe(),
                    project ? project->describe() : "no projection"));
  }
  norm.shape({x, slot(in, kGamma), slot(in, kBeta)});
  Shapes of_windows = of_attention(in);
  if (variant == nullptr) {
    qkv.shape({x, in[kQkvWeight], slot(in, kQkvBias)});
    of_windows.push_back(slot(in, kBias));
  }
  const Shape mixed = attention.shape(of_windows);
  if (!project || variant != nullptr) return {x.n, x.h, x.w, project ? project->outputs : x.c};
  return project->shape(
      {mixed, slot(in, kProjection), slot(in, kProjectionBias), {}, slot(in, kResidual)});
}

Cost WindowBlock::cost(const Shapes& in) const {
  const Shape& x = in[kX];
  const int K = project ? project->outputs : 0;
  const std::int64_t images =
      x.elements() + x.pixels() * (project ? K : x.c) + slot(in, kResidual).elements();
  std::int64_t constants = -x.elements() - slot(in, kResidual).elements();
  for (const Shape& shape : in) constants += shape.elements();
  const double products = 2.0 * static_cast<double>(x.pixels()) * x.c * (3.0 * x.c + K);
  return {norm.cost({x}).flops + attention.cost(of_attention(in)).flops + products,
          static_cast<double>(size_of(type)) * static_cast<double>(images) +
              sizeof(float) * static_cast<double>(constants)};
}

Footprint WindowBlock::footprint(const Shapes& in) const {
  return attention.footprint(of_attention(in));
}

std::string WindowBlock::describe() const {
  std::string text =
      fmt::format("{}, qkv {}, {}", norm.describe(), qkv.outputs, attention.describe());
  if (project) text += fmt::format(", {}", project->describe());
  if (type != DType::kF32) text += fmt::format(" {}", name_of(type));
  if (variant != nullptr) text += fmt::format(" [{}]", variant->name);
  return text;
}

std::int64_t WindowBlock::scratch_bytes(const Shapes& in) const {
  return variant != nullptr ? variant->kernel.scratch_bytes(*this, in) : 0;
}

void WindowBlock::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  if (variant == nullptr) {  // eager, as op::Conv2d does it
    const Shapes in = shapes_of(inputs);
    WindowBlock fixed = *this;
    fixed.variant = &choose(window_block_ladder(), *this, in, y.device().kind());
    std::vector<Tensor> operands(inputs.begin(), inputs.end());
    for (int i = 0; i < static_cast<int>(operands.size()); ++i) {
      const std::optional<AnyOp> pack = packing(*this, i);
      if (!pack || !fixed.variant->kernel.packs_weights || !operands[i].defined()) continue;
      operands[i] = mend::apply(*pack, {operands[i]});
    }
    const Storage memory(static_cast<std::size_t>(fixed.scratch_bytes(in)), y.device());
    return fixed.forward(operands, y, {memory.data(), memory.bytes()});
  }
  run_by_type(variant->kernel.run, type, [&]<class T>(WindowBlockFunction<T> run) {
    const auto parameters = [&](Slot i) { return view_of<float>(inputs, i); };
    run({*this, view_of<T>(inputs, kX), parameters(kQkvWeight), parameters(kQkvBias),
         parameters(kBias), parameters(kProjection), parameters(kProjectionBias),
         view_of<T>(inputs, kResidual), parameters(kGamma), parameters(kBeta), y.view<T>(),
         scratch});
  });
}

std::optional<Narrowed> WindowBlock::narrow(const Shapes&, DType to, DeviceKind device) const {
  return narrow_on_cpu(*this, 1u << kX | 1u << kResidual, to, device);
}

std::optional<Fusion> WindowBlock::absorb(const AnyOp& next, int position, const Shapes& in) const {
  if (variant != nullptr) return std::nullopt;
  WindowBlock longer = *this;
  std::vector<FusedInput> inputs;
  for (int i = 0; i < kSlots; ++i) inputs.push_back({FusedInput::kMine, i});
  if (!project) {
    const auto* linear = next.as<Conv2d>();
    if (linear == nullptr || position != Conv2d::kX || !is_linear(*linear)) return std::nullopt;
    longer.project = *linear;
    inputs[kProjection] = {FusedInput::kNext, Conv2d::kWeight};
    inputs[kProjectionBias] = {FusedInput::kNext, Conv2d::kBias};
    inputs[kResidual] = {FusedInput::kNext, Conv2d::kResidual};
    return Fusion{longer, inputs};
  }
  const std::optional<Fusion> fusion = project->absorb(next, position, in);
  if (!fusion || !is_linear(*fusion->op.as<Conv2d>())) return std::nullopt;
  longer.project = *fusion->op.as<Conv2d>();
  inputs[kResidual] = fusion->inputs[Conv2d::kResidual];
  return Fusion{longer, inputs};
}

std::optional<Lowering> WindowBlock::lower(const Shapes& in) const {
  if (variant != nullptr) return std::nullopt;
  WindowBlock fixed = *this;
  fixed.variant = &choose(window_block_ladder(), *this, in, DeviceKind::kCpu);
  Lowering lowering{fixed, std::vector<std::optional<AnyOp>>(in.size())};
  if (!fixed.variant->kernel.packs_weights) return lowering;
  for (int i = 0; i < static_cast<int>(in.size()); ++i) lowering.repack[i] = packing(*this, i);
  return lowering;
}

namespace {

/// Whether inputs q, k and v are the thirds of one tensor, and no other input is a view of it.
bool are_thirds(const ThroughViews& views, int C) {
  for (std::size_t i = 0; i < views.size(); ++i) {
    const bool is_third = i <= WindowAttention::kV;
    if (is_third != views[i].has_value()) return false;
    if (!is_third) continue;
    const auto* slice = views[i]->as<SliceChannels>();
    if (slice == nullptr || slice->first != static_cast<int>(i) * C || slice->count != C) {
      return false;
    }
  }
  return views.size() > WindowAttention::kV;
}

}  // namespace

std::optional<Fusion> fuse_window_block(const NormLinear& qkv, const WindowAttention& attention,
                                        const ThroughViews& views, const Shapes& in) {
  const bool forced = any_forced({NormLinear::kName, Conv2d::kName, WindowAttention::kName});
  const WindowBlock block{qkv.norm, qkv.linear, attention};
  const int C = in[WindowAttention::kQ].c;
  if (forced || qkv.variant != nullptr || !has_bias_alone(qkv.linear) ||
      qkv.linear.outputs != 3 * C || attention.keys() != attention.queries() ||
      !are_thirds(views, C) || !window_block_panels_refuses(block, {}).empty()) {
    return std::nullopt;
  }
  std::vector<FusedInput> inputs(WindowBlock::kSlots);
  inputs[WindowBlock::kX] = {FusedInput::kMine, NormLinear::kX};
  inputs[WindowBlock::kQkvWeight] = {FusedInput::kMine, NormLinear::kWeight};
  inputs[WindowBlock::kQkvBias] = {FusedInput::kMine, NormLinear::kBias};
  inputs[WindowBlock::kBias] = {FusedInput::kNext, WindowAttention::kBias};
  inputs[WindowBlock::kGamma] = {FusedInput::kMine, NormLinear::kGamma};
  inputs[WindowBlock::kBeta] = {FusedInput::kMine, NormLinear::kBeta};
  return Fusion{block, inputs};
}

Shape PackWindowBias::shape(const Shapes& in) const {
  const Shape& bias = in[0];
  return {bias.h, whole_blocks(bias.c) / kPanelTokens, bias.w, kPanelTokens};
}

Cost PackWindowBias::cost(const Shapes& in) const {
  return {0, static_cast<double>(in[0].elements() + shape(in).elements()) * sizeof(float)};
}

Footprint PackWindowBias::footprint(const Shapes&) const { return {}; }

void PackWindowBias::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const View<const float> bias = inputs[0].view<const float>();
  const View<float> panels = y.view<float>();
  const Shape& s = panels.shape;
  for (int head = 0; head < s.n; ++head)
    for (int block = 0; block < s.h; ++block)
      for (int key = 0; key < s.w; ++key)
        for (int t = 0; t < kPanelTokens; ++t) {
          const int query = block * kPanelTokens + t;
          panels(head, block, key, t) =
              query < bias.shape.c ? kLog2E * bias(0, head, key, query) : 0.0f;
        }
}

}  // namespace op
}  // namespace mend
