#include "kernels/conv2d_pair/conv2d_pair.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/conv2d/variant.h"
#include "kernels/cuda/machine.h"
#include "kernels/inputs.h"
#include "kernels/narrow.h"

namespace mend {
namespace {

std::string takes_f32(const op::Conv2dPair& op, const Shapes&) {
  return refuses_all_but_f32(op.dtype());
}

constexpr Conv2dPairKernel kReference{conv2d_pair_reference_scratch, conv2d_pair_reference};
#ifdef MEND_HAS_CUDA
constexpr Conv2dPairKernel kCudaMma{nullptr, nullptr, conv2d_pair_cuda_mma_packed_shape,
                                    conv2d_pair_cuda_mma_pack, conv2d_pair_cuda_mma};
#endif

// clang-format off
constexpr Conv2dPairVariant kLadder[] = {
    // name                    device             cannot do                     modelled time                 error  kernel
    {"conv2d_pair/reference",  DeviceKind::kCpu,  takes_f32,                    slowest,                      0,     kReference},
#ifdef MEND_HAS_CUDA
    {"conv2d_pair/cuda_mma",   DeviceKind::kCuda, conv2d_pair_cuda_mma_refuses, conv2d_pair_cuda_mma_seconds, 5e-3,  kCudaMma},
#endif
};
// clang-format on

}  // namespace

std::span<const Conv2dPairVariant> conv2d_pair_ladder() { return kLadder; }

namespace op {
namespace {

Shape unpacked(const Conv2d& op, const Shape& x) {
  return {op.outputs, op.kernel_h, op.kernel_w, x.c / op.groups};
}

std::int64_t bytes_of(const Shape& image, DType type) {
  return image.elements() * static_cast<std::int64_t>(size_of(type));
}

}  // namespace

Shapes Conv2dPair::of_first(const Shapes& in) const {
  const bool packed = variant != nullptr && variant->kernel.packs();
  return {in[kX], packed ? unpacked(first, in[kX]) : in[kWeight1], slot(in, kBias1),
          slot(in, kSlope1)};
}

Shapes Conv2dPair::of_second(const Shapes& in) const {
  const bool packed = variant != nullptr && variant->kernel.packs();
  const Shape middle = first.shape(of_first(in));
  return {middle, packed ? unpacked(second, middle) : in[kWeight2], slot(in, kBias2),
          slot(in, kSlope2), slot(in, kResidual)};
}

Shape Conv2dPair::shape(const Shapes& in) const {
  if (first.adds_residual || first.type != second.type) {
    throw ShapeError(
        fmt::format("conv2d_pair: {} and {} are no pair: the first may have no residual, the types "
                    "must be the same",
                    first.describe(), second.describe()));
  }
  return second.shape(of_second(in));
}

Cost Conv2dPair::cost(const Shapes& in) const {
  const Shapes next = of_second(in);
  Cost cost = first.cost(of_first(in));
  cost += second.cost(next);
  cost.bytes -= 2.0 * static_cast<double>(bytes_of(next[Conv2d::kX], first.type));
  return cost;
}

Footprint Conv2dPair::footprint(const Shapes& in) const {
  return first.footprint(in).then(second.footprint(in));
}

std::string Conv2dPair::describe() const {
  std::string text =
      fmt::format("{}, {} -> {}", first.describe(), first.outputs, second.describe());
  if (variant != nullptr) text += fmt::format(" [{}]", variant->name);
  return text;
}

std::int64_t Conv2dPair::scratch_bytes(const Shapes& in) const {
  const bool asks = variant != nullptr && variant->kernel.scratch_bytes != nullptr;
  return asks ? variant->kernel.scratch_bytes(*this, in) : 0;
}

void Conv2dPair::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  if (variant == nullptr) {  // eager, as op::Conv2d does it
    Conv2dPair fixed = *this;
    fixed.variant = &choose(conv2d_pair_ladder(), *this, shapes_of(inputs), y.device().kind());
    std::vector<Tensor> operands(inputs.begin(), inputs.end());
    if (fixed.variant->kernel.packs()) {
      for (const Slot i : {kWeight1, kWeight2}) {
        operands[i] = mend::apply(PackConv2dPairWeight{fixed}, {operands[i]});
      }
    }
    const std::int64_t bytes = fixed.scratch_bytes(shapes_of(operands));
    const Storage memory(static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1)), y.device());
    return fixed.forward(operands, y, {memory.data(), memory.bytes()});
  }
  if (variant->kernel.launch != nullptr) return variant->kernel.launch(*this, inputs, y);
  const auto view = [&](Slot i) { return view_of<float>(inputs, i); };
  variant->kernel.run({*this, view(kX), view(kWeight1), view(kBias1), view(kSlope1), view(kWeight2),
                       view(kBias2), view(kSlope2), view(kResidual), y.view<float>(), scratch});
}

std::optional<Lowering> Conv2dPair::lower(const Shapes& in, DeviceKind device) const {
  if (variant != nullptr) return std::nullopt;
  Conv2dPair fixed = *this;
  fixed.variant = &choose(conv2d_pair_ladder(), *this, in, device);
  Lowering lowering{fixed, std::vector<std::optional<AnyOp>>(in.size())};
  if (!fixed.variant->kernel.packs()) return lowering;
  for (const Slot i : {kWeight1, kWeight2}) lowering.repack[i] = PackConv2dPairWeight{fixed};
  return lowering;
}

Shape PackConv2dPairWeight::shape(const Shapes& in) const {
  return pair.variant->kernel.packed_shape(in[0]);
}

Cost PackConv2dPairWeight::cost(const Shapes& in) const {
  return {0, static_cast<double>(bytes_of(in[0], DType::kF32) + bytes_of(shape(in), dtype()))};
}

std::string PackConv2dPairWeight::describe() const {
  return fmt::format("for {} {}", pair.variant->name, name_of(dtype()));
}

void PackConv2dPairWeight::forward(Inputs inputs, const Tensor& y, Scratch) const {
  pair.variant->kernel.launch_pack(inputs[0], y);
}

namespace {

bool is_slope(const Activation& activation) {
  return activation.kind == ActivationKind::kNone || activation.kind == ActivationKind::kRelu ||
         activation.kind == ActivationKind::kLeakyRelu || activation.kind == ActivationKind::kPrelu;
}

/// Whether `rung` is the faster way, and the same bits, so that tiles of an image may take the other.
bool pays(const Conv2dPairVariant& rung, const Conv2dPair& both, const Shapes& in) {
  if (!is_slope(both.first.activation) || !is_slope(both.second.activation)) return false;
  const Shapes first = both.of_first(in), second = both.of_second(in);
  // Below that two launches leave it in L2, and DRAM has nothing to win.
  if (bytes_of(second[Conv2d::kX], both.dtype()) <= NominalGpu::kL2Bytes) return false;
  return rung.seconds(both, in) <
         conv2d_gpu_seconds(both.first, first) + conv2d_gpu_seconds(both.second, second);
}

/// The rung that would run on a GPU; null if none can, or another one is forced.
const Conv2dPairVariant* rung_of(const Conv2dPair& both, const Shapes& in,
                                 const std::string& forced) {
  for (const Conv2dPairVariant& rung : conv2d_pair_ladder()) {
    const bool is_meant =
        forced.empty() || rung.name.substr(Conv2dPair::kName.size() + 1) == forced;
    if (rung.device == DeviceKind::kCuda && is_meant && rung.refuses(both, in).empty())
      return &rung;
  }
  return nullptr;
}

}  // namespace

std::optional<Fusion> fuse_conv2d_pair(const Conv2d& first, const AnyOp& next, int position,
                                       const Shapes& in, const Shapes& next_in) {
  const auto* second = next.as<Conv2d>();
  const bool fits = second != nullptr && position == Conv2d::kX && first.variant == nullptr &&
                    second->variant == nullptr && !first.adds_residual &&
                    first.type == second->type;
  if (!fits || !forced_variant(Conv2d::kName).empty()) return std::nullopt;
  const Conv2dPair both{first, *second};
  const Shapes all{in[Conv2d::kX],
                   in[Conv2d::kWeight],
                   slot(in, Conv2d::kBias),
                   slot(in, Conv2d::kSlope),
                   next_in[Conv2d::kWeight],
                   slot(next_in, Conv2d::kBias),
                   slot(next_in, Conv2d::kSlope),
                   slot(next_in, Conv2d::kResidual)};
  const std::string forced = forced_variant(Conv2dPair::kName);
  const Conv2dPairVariant* rung = rung_of(both, all, forced);
  if (rung == nullptr || (forced.empty() && !pays(*rung, both, all))) return std::nullopt;
  std::vector<FusedInput> inputs(Conv2dPair::kSlots);
  inputs[Conv2dPair::kX] = {FusedInput::kMine, Conv2d::kX};
  inputs[Conv2dPair::kWeight1] = {FusedInput::kMine, Conv2d::kWeight};
  inputs[Conv2dPair::kBias1] = {FusedInput::kMine, Conv2d::kBias};
  inputs[Conv2dPair::kSlope1] = {FusedInput::kMine, Conv2d::kSlope};
  inputs[Conv2dPair::kWeight2] = {FusedInput::kNext, Conv2d::kWeight};
  inputs[Conv2dPair::kBias2] = {FusedInput::kNext, Conv2d::kBias};
  inputs[Conv2dPair::kSlope2] = {FusedInput::kNext, Conv2d::kSlope};
  inputs[Conv2dPair::kResidual] = {FusedInput::kNext, Conv2d::kResidual};
  return Fusion{both, inputs};
}

}  // namespace op
}  // namespace mend
