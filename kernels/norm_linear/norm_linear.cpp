#include "kernels/norm_linear/norm_linear.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/conv2d/variant.h"
#include "kernels/inverted_residual/inverted_residual.h"
#include "kernels/norm_mlp/norm_mlp.h"
#include "kernels/window_block/window_block.h"

namespace mend {
namespace {

double blocked_seconds(const op::NormLinear& op, const Shapes& in) {
  return conv2d_direct_seconds(op.linear, in);
}

// clang-format off
constexpr NormLinearVariant kLadder[] = {
    // name                    device            cannot do      modelled time    error  kernel
    {"norm_linear/reference",  DeviceKind::kCpu, never_refuses, slowest,         0,     {false, norm_linear_reference_scratch, norm_linear_reference}},
    {"norm_linear/blocked",    DeviceKind::kCpu, never_refuses, blocked_seconds, 1e-5,  {true,  norm_linear_blocked_scratch,   norm_linear_blocked}},
};
// clang-format on

}  // namespace

std::span<const NormLinearVariant> norm_linear_ladder() { return kLadder; }

namespace op {
namespace {

View<const float> view(Inputs inputs, std::size_t i) {
  return i < inputs.size() ? inputs[i].view<const float>() : View<const float>{};
}
Shape slot(const Shapes& in, std::size_t i) { return i < in.size() ? in[i] : Shape{}; }

bool is_plain_1x1(const Conv2d& op) {
  return op.kernel_h == 1 && op.kernel_w == 1 && op.stride == 1 && op.padding_h == 0 &&
         op.padding_w == 0 && op.groups == 1;
}

Shapes of_linear(const Shapes& in) {
  return {in.begin(), in.begin() + std::min<std::ptrdiff_t>(std::ssize(in), Conv2d::kSlots)};
}

}  // namespace

NormLinear NormLinear::on(const NormLinearVariant& rung) const {
  NormLinear fixed = *this;
  fixed.variant = &rung;
  if (rung.kernel.packs_weight) fixed.linear.variant = conv2d_rung(conv2d_direct);
  return fixed;
}

Shape NormLinear::shape(const Shapes& in) const {
  if (!is_plain_1x1(linear)) {
    throw ShapeError(fmt::format("norm_linear: {} is no plain 1x1 convolution", linear.describe()));
  }
  norm.shape({in[kX], slot(in, kGamma), slot(in, kBeta)});
  return linear.shape(of_linear(in));
}

Cost NormLinear::cost(const Shapes& in) const {
  const Cost product = linear.cost(of_linear(in));
  const double vectors =
      static_cast<double>(slot(in, kGamma).elements() + slot(in, kBeta).elements());
  return {norm.cost({in[kX]}).flops + product.flops, product.bytes + vectors * sizeof(float)};
}

Footprint NormLinear::footprint(const Shapes&) const { return {}; }

std::string NormLinear::describe() const {
  const std::string rung = variant != nullptr ? fmt::format(" [{}]", variant->name) : "";
  Conv2d plain = linear;
  plain.variant = nullptr;
  return fmt::format("{}, {}{}", norm.describe(), plain.describe(), rung);
}

std::int64_t NormLinear::scratch_bytes(const Shapes& in) const {
  return variant != nullptr ? variant->kernel.scratch_bytes(*this, in) : 0;
}

void NormLinear::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  if (variant == nullptr) {  // eager, as op::Conv2d does it
    const Shapes in = shapes_of(inputs);
    const NormLinear fixed = on(choose(norm_linear_ladder(), *this, in, y.device().kind()));
    std::vector<Tensor> operands(inputs.begin(), inputs.end());
    if (fixed.variant->kernel.packs_weight) {
      const PackConv2dWeight pack{fixed.linear};
      operands[kWeight] = Tensor::empty(pack.shape({inputs[kWeight].shape()}));
      pack.forward(inputs.subspan(kWeight, 1), operands[kWeight], {});
    }
    const Storage memory(static_cast<std::size_t>(fixed.scratch_bytes(shapes_of(operands))),
                         y.device());
    return fixed.forward(operands, y, {memory.data(), memory.bytes()});
  }
  variant->kernel.run({*this, view(inputs, kX), view(inputs, kWeight), view(inputs, kBias),
                       view(inputs, kSlope), view(inputs, kResidual), view(inputs, kGamma),
                       view(inputs, kBeta), y.view<float>(), scratch});
}

std::optional<Fusion> NormLinear::absorb(const AnyOp& next, int position, const Shapes& in) const {
  if (const auto* second = next.as<Conv2d>()) {
    return second->groups > 1 ? fuse_inverted_residual(*this, *second, position)
                              : fuse_mlp(*this, *second, position);
  }
  std::optional<Fusion> fusion = linear.absorb(next, position, in);
  if (!fusion) return std::nullopt;
  NormLinear longer = *this;
  longer.linear = *fusion->op.as<Conv2d>();
  fusion->inputs.resize(kGamma);
  fusion->inputs.push_back({FusedInput::kMine, kGamma});
  fusion->inputs.push_back({FusedInput::kMine, kBeta});
  return Fusion{longer, fusion->inputs};
}

std::optional<Fusion> NormLinear::absorb_through(const AnyOp& next, const ThroughViews& views,
                                                 const Shapes& in) const {
  const auto* attention = next.as<WindowAttention>();
  return attention != nullptr ? fuse_window_block(*this, *attention, views, in)
                              : fuse_gate(*this, next, views);
}

std::optional<Lowering> NormLinear::lower(const Shapes& in) const {
  if (variant != nullptr) return std::nullopt;
  const NormLinear fixed = on(choose(norm_linear_ladder(), *this, in, DeviceKind::kCpu));
  Lowering lowering{fixed, std::vector<std::optional<AnyOp>>(in.size())};
  if (fixed.variant->kernel.packs_weight) lowering.repack[kWeight] = PackConv2dWeight{fixed.linear};
  return lowering;
}

std::optional<RowPart> NormLinear::row_part(const Shapes& in, RowRange y) const {
  if (variant == nullptr) return std::nullopt;
  RowPart rows{*this, std::vector<RowRange>(in.size())};
  rows.inputs[kX] = y;
  if (!slot(in, kResidual).empty()) rows.inputs[kResidual] = y;
  return rows;
}

std::optional<Fusion> fuse_norm_into(const LayerNorm& norm, const Conv2d& linear, int position) {
  const bool forced =
      !forced_variant(LayerNorm::kName).empty() || !forced_variant(Conv2d::kName).empty();
  if (position != Conv2d::kX || !is_plain_1x1(linear) || linear.variant != nullptr || forced) {
    return std::nullopt;
  }
  std::vector<FusedInput> inputs(NormLinear::kSlots);
  inputs[NormLinear::kX] = {FusedInput::kMine, LayerNorm::kX};
  for (int i = Conv2d::kWeight; i < Conv2d::kSlots; ++i) inputs[i] = {FusedInput::kNext, i};
  inputs[NormLinear::kGamma] = {FusedInput::kMine, LayerNorm::kGamma};
  inputs[NormLinear::kBeta] = {FusedInput::kMine, LayerNorm::kBeta};
  return Fusion{NormLinear{norm, linear}, inputs};
}

}  // namespace op
}  // namespace mend
