#include "kernels/norm_linear/norm_linear.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/conv2d/variant.h"
#include "kernels/cuda/memory_seconds.h"
#include "kernels/fused.h"
#include "kernels/inputs.h"
#include "kernels/inverted_residual/inverted_residual.h"
#include "kernels/narrow.h"
#include "kernels/norm_mlp/norm_mlp.h"
#include "kernels/window_block/window_block.h"

namespace mend {
namespace {

double blocked_seconds(const op::NormLinear& op, const Shapes& in) {
  return conv2d_direct_seconds(op.linear, in);
}

std::string takes_f32(const op::NormLinear& op, const Shapes&) {
  return refuses_all_but_f32(op.dtype());
}

const Conv2dVariant* as_direct() { return conv2d_rung(conv2d_direct); }

constexpr NormLinearKernel kReference{nullptr, norm_linear_reference_scratch,
                                      norm_linear_reference};
constexpr NormLinearKernel kBlocked{as_direct, norm_linear_blocked_scratch, norm_linear_blocked};
#ifdef MEND_HAS_CUDA
const Conv2dVariant* as_tf32_gemm() { return conv2d_rung("conv2d/cuda_tf32_gemm"); }
const Conv2dVariant* as_f16_gemm() { return conv2d_rung("conv2d/cuda_f16_gemm"); }
constexpr NormLinearKernel kCudaTf32{as_tf32_gemm, nullptr, nullptr, norm_linear_cuda_tf32};
constexpr NormLinearKernel kCudaF16{as_f16_gemm, nullptr, nullptr, norm_linear_cuda_f16};
#endif

// clang-format off
constexpr NormLinearVariant kLadder[] = {
    // name                    device             cannot do                      modelled time             error  kernel
    {"norm_linear/reference",  DeviceKind::kCpu,  takes_f32,                     slowest,                  0,     kReference},
    {"norm_linear/blocked",    DeviceKind::kCpu,  takes_f32,                     blocked_seconds,          1e-5,  kBlocked},
#ifdef MEND_HAS_CUDA
    {"norm_linear/cuda_tf32",  DeviceKind::kCuda, norm_linear_cuda_tf32_refuses, norm_linear_cuda_seconds, 1e-3,  kCudaTf32},
    {"norm_linear/cuda_f16",   DeviceKind::kCuda, norm_linear_cuda_f16_refuses,  norm_linear_cuda_seconds, 5e-3,  kCudaF16},
#endif
};
// clang-format on

}  // namespace

std::span<const NormLinearVariant> norm_linear_ladder() { return kLadder; }

namespace op {
namespace {

Shapes of_linear(const Shapes& in) {
  return {in.begin(), in.begin() + std::min<std::ptrdiff_t>(std::ssize(in), Conv2d::kSlots)};
}

}  // namespace

NormLinear NormLinear::on(const NormLinearVariant& rung) const {
  NormLinear fixed = *this;
  fixed.variant = &rung;
  if (rung.kernel.packs_weight()) fixed.linear.variant = rung.kernel.packing();
  return fixed;
}

Shape NormLinear::shape(const Shapes& in) const {
  if (!is_pointwise(linear)) {
    throw ShapeError(fmt::format("norm_linear: {} is no plain 1x1 convolution", linear.describe()));
  }
  if (norm.type != linear.type) {
    throw ShapeError(fmt::format("norm_linear: a norm of {} and a linear layer of {}",
                                 name_of(norm.type), name_of(linear.type)));
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
  const bool asks = variant != nullptr && variant->kernel.scratch_bytes != nullptr;
  return asks ? variant->kernel.scratch_bytes(*this, in) : 0;
}

void NormLinear::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  if (variant == nullptr) {  // eager, as op::Conv2d does it
    const Shapes in = shapes_of(inputs);
    const NormLinear fixed = on(choose(norm_linear_ladder(), *this, in, y.device().kind()));
    std::vector<Tensor> operands(inputs.begin(), inputs.end());
    if (fixed.variant->kernel.packs_weight()) {
      operands[kWeight] = mend::apply(PackConv2dWeight{fixed.linear}, {inputs[kWeight]});
    }
    const std::int64_t bytes = fixed.scratch_bytes(shapes_of(operands));
    const Storage memory(static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1)), y.device());
    return fixed.forward(operands, y, {memory.data(), memory.bytes()});
  }
  if (variant->kernel.launch != nullptr) return variant->kernel.launch(*this, inputs, y);
  const auto view = [&](Slot i) { return view_of<float>(inputs, i); };
  variant->kernel.run({*this, view(kX), view(kWeight), view(kBias), view(kSlope), view(kResidual),
                       view(kGamma), view(kBeta), y.view<float>(), scratch});
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

std::optional<Lowering> NormLinear::lower(const Shapes& in, DeviceKind device) const {
  if (variant != nullptr) return std::nullopt;
  const NormLinear fixed = on(choose(norm_linear_ladder(), *this, in, device));
  Lowering lowering{fixed, std::vector<std::optional<AnyOp>>(in.size())};
  if (fixed.variant->kernel.packs_weight())
    lowering.repack[kWeight] = PackConv2dWeight{fixed.linear};
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
  const bool forced = any_forced({LayerNorm::kName, Conv2d::kName});
  if (position != Conv2d::kX || !is_pointwise(linear) || linear.variant != nullptr || forced ||
      linear.type != norm.type) {
    return std::nullopt;
  }
  std::vector<FusedInput> inputs(NormLinear::kSlots);
  inputs[NormLinear::kX] = {FusedInput::kMine, LayerNorm::kX};
  for (int i = Conv2d::kWeight; i < Conv2d::kSlots; ++i) inputs[i] = {FusedInput::kNext, i};
  inputs[NormLinear::kGamma] = {FusedInput::kMine, LayerNorm::kGamma};
  inputs[NormLinear::kBeta] = {FusedInput::kMine, LayerNorm::kBeta};
  return Fusion{NormLinear{norm, linear}, inputs};
}

namespace {

/// The rung that a plan takes on a GPU; null if it keeps the two apart. By typical shapes: a tile of an image must
/// take the same one as the whole, whose bits are others.
const NormLinearVariant* gpu_rung_of(const NormLinear& both, const Shapes& in) {
  const std::string forced = forced_variant(NormLinear::kName);
  for (const NormLinearVariant& rung : norm_linear_ladder()) {
    if (rung.device != DeviceKind::kCuda || !rung.refuses(both, in).empty()) continue;
    if (rung.name.substr(NormLinear::kName.size() + 1) == forced) return &rung;
    const double apart = gpu_memory_seconds(both.norm, {in[NormLinear::kX]}) +
                         conv2d_gpu_seconds(both.linear, of_linear(in));
    if (forced.empty() && rung.seconds(both, in) < apart) return &rung;
  }
  return nullptr;
}

}  // namespace

std::optional<Fusion> pair_norm_with(const LayerNorm& norm, const Conv2d& linear, int position,
                                     const Shapes&, const Shapes& next_in) {
  std::optional<Fusion> fusion = fuse_norm_into(norm, linear, position);
  if (!fusion) return std::nullopt;
  const Shapes typical = linear.typical(next_in);
  return gpu_rung_of({norm, linear}, typical) != nullptr ? fusion : std::nullopt;
}

}  // namespace op
}  // namespace mend
