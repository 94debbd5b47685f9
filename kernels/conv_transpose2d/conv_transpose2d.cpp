#include "kernels/conv_transpose2d/conv_transpose2d.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/conv_transpose2d/variant.h"
#include "kernels/inputs.h"

namespace mend::op {
namespace {

void check_parameters(const ConvTranspose2d& op) {
  const bool valid = op.kernel_h > 0 && op.kernel_w > 0 && op.stride > 0 && op.padding >= 0 &&
                     op.output_padding >= 0 && op.groups > 0 && op.outputs > 0;
  if (valid && op.output_padding < op.stride) return;
  throw ShapeError(fmt::format(
      "conv_transpose2d: kernel {}x{}, stride {}, groups {} and {} outputs must be positive, "
      "padding {} not negative, output padding {} in [0, stride)",
      op.kernel_h, op.kernel_w, op.stride, op.groups, op.outputs, op.padding, op.output_padding));
}

void check_channels(const ConvTranspose2d& op, const Shape& x, const Shape& weight) {
  if (x.c % op.groups != 0 || op.outputs % op.groups != 0) {
    throw ShapeError(fmt::format(
        "conv_transpose2d: {} groups do not divide both the {} channels of x {} and {} outputs",
        op.groups, x.c, to_string(x), op.outputs));
  }
  if (op.variant != nullptr) return;  // packed: its shape is the rung's affair
  if (weight.c * op.groups != x.c) {
    throw ShapeError(fmt::format("conv_transpose2d: weight {} takes {} channels, but x is {}",
                                 to_string(weight), weight.c * op.groups, to_string(x)));
  }
}

/// `op` with R, S and K filled in.
ConvTranspose2d with_extents(ConvTranspose2d op, const Shapes& in) {
  if (op.variant != nullptr) return op;
  const Shape weight = slot(in, ConvTranspose2d::kWeight);
  op.kernel_h = weight.h;
  op.kernel_w = weight.w;
  op.outputs = weight.n;
  return op;
}

Shape shape_of(const ConvTranspose2d& op, const Shapes& in) {
  const Shape x = in[ConvTranspose2d::kX];
  check_parameters(op);
  check_channels(op, x, slot(in, ConvTranspose2d::kWeight));
  const Shape bias = slot(in, ConvTranspose2d::kBias);
  if (!bias.empty() && bias != vector_shape(op.outputs)) {
    throw ShapeError(fmt::format("conv_transpose2d: bias is {}, but there are {} outputs",
                                 to_string(bias), op.outputs));
  }
  check_slope(op.kName, op.activation, slot(in, ConvTranspose2d::kSlope), op.outputs);
  const auto extent = [&](int input, int kernel) {
    return (std::int64_t{input} - 1) * op.stride - 2 * std::int64_t{op.padding} + kernel +
           op.output_padding;
  };
  const std::int64_t P = extent(x.h, op.kernel_h), Q = extent(x.w, op.kernel_w);
  constexpr std::int64_t kLargest = std::numeric_limits<int>::max();
  if (P < 1 || Q < 1 || P > kLargest || Q > kLargest) {
    throw ShapeError(
        fmt::format("conv_transpose2d: x {} with kernel {}x{}, stride {} and padding {} gives an "
                    "image of {}x{}",
                    to_string(x), op.kernel_h, op.kernel_w, op.stride, op.padding, P, Q));
  }
  return {x.n, static_cast<int>(P), static_cast<int>(Q), op.outputs};
}

}  // namespace

Shape ConvTranspose2d::shape(const Shapes& in) const {
  return shape_of(with_extents(*this, in), in);
}

Cost ConvTranspose2d::cost(const Shapes& in) const {
  const ConvTranspose2d op = with_extents(*this, in);
  const Shape x = in[kX], y = shape_of(op, in);
  const double taps = static_cast<double>(op.kernel_h) * op.kernel_w * (op.outputs / groups);
  const double elements = static_cast<double>(x.elements() + y.elements()) + taps * x.c;
  return {2 * taps * static_cast<double>(x.elements()),
          elements * static_cast<double>(size_of(type)) +
              static_cast<double>(slot(in, kBias).elements()) * sizeof(float)};
}

Footprint ConvTranspose2d::footprint(const Shapes& in) const {
  const ConvTranspose2d op = with_extents(*this, in);
  // Output p reads h = (p + padding − r) / stride for all r that leave no remainder. Input pixel h
  // stands for the outputs h·stride ... h·stride + stride − 1.
  const auto reach = [&](int kernel) {
    const int before = (kernel - 1 - padding) / stride;
    const int after = (stride - 1 + padding) / stride;
    return std::max({0, before, after});
  };
  const int radius = std::max(reach(op.kernel_h), reach(op.kernel_w));
  return {static_cast<double>(radius), static_cast<double>(stride), 1, false};
}

std::string ConvTranspose2d::describe() const {
  std::string text = fmt::format("stride {}", stride);
  if (padding != 0) text += fmt::format(" padding {}", padding);
  if (output_padding != 0) text += fmt::format(" output padding {}", output_padding);
  if (groups != 1) text += fmt::format(" groups {}", groups);
  if (activation.kind != ActivationKind::kNone) text += " + " + mend::describe(activation);
  if (variant != nullptr) text += fmt::format(" [{}]", variant->name);
  return text;
}

std::int64_t ConvTranspose2d::scratch_bytes(const Shapes& in) const {
  if (variant == nullptr || variant->kernel.scratch_bytes == nullptr) return 0;
  return variant->kernel.scratch_bytes(*this, in);
}

void ConvTranspose2d::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  if (variant == nullptr) {
    // Eager: choose a rung, pack into a temporary, and run as the plan would.
    const Shapes in = shapes_of(inputs);
    ConvTranspose2d fixed = with_extents(*this, in);
    fixed.variant = &choose(conv_transpose2d_ladder(), *this, in, y.device().kind());
    std::vector<Tensor> operands(inputs.begin(), inputs.end());
    if (fixed.variant->kernel.packs()) {
      const PackConvTranspose2dWeight pack{fixed};
      operands[kWeight] =
          Tensor::empty(pack.shape({inputs[kWeight].shape()}), pack.dtype(), y.device());
      pack.forward(inputs.subspan(kWeight, 1), operands[kWeight], {});
    }
    const std::int64_t bytes = fixed.scratch_bytes(shapes_of(operands));
    const Storage memory(static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1)), y.device());
    fixed.forward(operands, y, {memory.data(), memory.bytes()});
    return;
  }
  if (variant->kernel.launch != nullptr) return variant->kernel.launch(*this, inputs, y);
  variant->kernel.run({*this, view_of<float>(inputs, kX), view_of<float>(inputs, kWeight),
                       view_of<float>(inputs, kBias), view_of<float>(inputs, kSlope),
                       y.view<float>(), scratch});
}

std::optional<Lowering> ConvTranspose2d::lower(const Shapes& in, DeviceKind device) const {
  if (variant != nullptr) return std::nullopt;
  ConvTranspose2d fixed = with_extents(*this, in);
  fixed.variant = &choose(conv_transpose2d_ladder(), *this, in, device);
  Lowering lowering{fixed, std::vector<std::optional<AnyOp>>(in.size())};
  if (fixed.variant->kernel.packs()) {
    lowering.repack[kWeight] = PackConvTranspose2dWeight{fixed};
  }
  return lowering;
}

std::optional<Narrowed> ConvTranspose2d::narrow(const Shapes& in, DType to) const {
  ConvTranspose2d narrowed = *this;
  narrowed.type = to;
  for (const ConvTranspose2dVariant& rung : conv_transpose2d_ladder()) {
    if (rung.device == DeviceKind::kCuda && rung.refuses(narrowed, in).empty()) {
      return Narrowed{narrowed, 1u << kX, true};
    }
  }
  return std::nullopt;
}

std::optional<Fusion> ConvTranspose2d::absorb(const AnyOp& next, int, const Shapes&) const {
  const auto* activate = next.as<Activate>();
  if (variant != nullptr || activate == nullptr || activation.kind != ActivationKind::kNone) {
    return std::nullopt;
  }
  ConvTranspose2d fused = *this;
  fused.activation = activate->activation;
  std::vector<FusedInput> inputs = {
      {FusedInput::kMine, kX}, {FusedInput::kMine, kWeight}, {FusedInput::kMine, kBias}, {}};
  if (activate->activation.kind == ActivationKind::kPrelu) {
    inputs[kSlope] = {FusedInput::kNext, Activate::kSlope};
  }
  return Fusion{fused, inputs};
}

Shape PackConvTranspose2dWeight::shape(const Shapes& in) const {
  return conv.variant->kernel.packed_shape(conv, in[0]);
}

Cost PackConvTranspose2dWeight::cost(const Shapes& in) const {
  return {0, static_cast<double>(in[0].elements() + shape(in).elements()) * sizeof(float)};
}

Footprint PackConvTranspose2dWeight::footprint(const Shapes&) const { return {}; }

std::string PackConvTranspose2dWeight::describe() const {
  return fmt::format("for {} stride {} groups {}", conv.variant->name, conv.stride, conv.groups);
}

void PackConvTranspose2dWeight::forward(Inputs inputs, const Tensor& y, Scratch) const {
  if (conv.variant->kernel.launch_pack != nullptr) {
    return conv.variant->kernel.launch_pack(conv, inputs[0], y);
  }
  conv.variant->kernel.pack(conv, inputs[0].view<const float>(), y.view<float>());
}

}  // namespace mend::op
