#include "kernels/conv2d/conv2d.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/conv2d/scale_filters.h"
#include "kernels/conv2d/variant.h"
#include "kernels/conv2d_pair/conv2d_pair.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/inputs.h"

namespace mend {
namespace op {
namespace {

template <class T>
View<const T> view(Inputs inputs, std::size_t i) {
  return i < inputs.size() ? inputs[i].view<const T>() : View<const T>{};
}

/// The call of a rung on images of T.
template <class T>
TypedConv2dCall<T> call_of(const Conv2d& op, Inputs inputs, const Tensor& y, Scratch scratch) {
  return {op,
          view<T>(inputs, Conv2d::kX),
          view<float>(inputs, Conv2d::kWeight),
          view<float>(inputs, Conv2d::kBias),
          view<float>(inputs, Conv2d::kSlope),
          view<T>(inputs, Conv2d::kResidual),
          y.view<T>(),
          scratch};
}

/// P or Q: how many outputs fit along one side; less than 1 if none does.
std::int64_t output_extent(std::int64_t extent, int kernel, int stride, int padding_before,
                           int padding_after, int dilation) {
  const std::int64_t room =
      extent + padding_before + padding_after - std::int64_t{dilation} * (kernel - 1) - 1;
  return room < 0 ? 0 : room / stride + 1;
}

void check_parameters(const Conv2d& op) {
  const bool valid = op.kernel_h > 0 && op.kernel_w > 0 && op.stride > 0 && op.dilation > 0 &&
                     op.padding_h >= 0 && op.padding_w >= 0 && op.groups > 0 && op.outputs > 0;
  if (valid) return;
  throw ShapeError(fmt::format(
      "conv2d: kernel {}x{}, stride {}, dilation {}, groups {} and {} outputs must be positive, "
      "padding {}x{} not negative",
      op.kernel_h, op.kernel_w, op.stride, op.dilation, op.groups, op.outputs, op.padding_h,
      op.padding_w));
}

void check_channels(const Conv2d& op, const Shape& x, const Shape& weight) {
  if (x.c % op.groups != 0 || op.outputs % op.groups != 0) {
    throw ShapeError(
        fmt::format("conv2d: {} groups divide neither the {} channels of x {} nor {} "
                    "outputs evenly",
                    op.groups, x.c, to_string(x), op.outputs));
  }
  if (op.variant != nullptr) return;  // packed: its shape is the rung's affair
  if (weight.c * op.groups != x.c) {
    throw ShapeError(fmt::format("conv2d: weight {} takes {} channels, but x is {}",
                                 to_string(weight), weight.c * op.groups, to_string(x)));
  }
  const Shape wanted{op.outputs, op.kernel_h, op.kernel_w, x.c / op.groups};
  if (weight != wanted) {
    throw ShapeError(fmt::format("conv2d: weight is {}, but {} outputs and a {}x{} kernel need {}",
                                 to_string(weight), op.outputs, op.kernel_h, op.kernel_w,
                                 to_string(wanted)));
  }
}

void check_padding(const Conv2d& op, const Shape& x) {
  if (op.padding_mode != PaddingMode::kReflect) return;
  if (op.padding_h < x.h && op.padding_w < x.w) return;
  throw ShapeError(
      fmt::format("conv2d: cannot reflect {} rows and {} columns of x {}, which has "
                  "too few; use a larger image",
                  op.padding_h, op.padding_w, to_string(x)));
}

void check_vectors(const Conv2d& op, const Shapes& in) {
  const Shape bias = slot(in, Conv2d::kBias);
  if (!bias.empty() && bias != vector_shape(op.outputs)) {
    throw ShapeError(
        fmt::format("conv2d: bias is {}, but there are {} outputs", to_string(bias), op.outputs));
  }
  check_slope("conv2d", op.activation, slot(in, Conv2d::kSlope), op.outputs);
}

std::string_view name_of(PaddingMode mode) {
  constexpr std::string_view kNames[] = {"zeros", "reflect", "replicate"};
  return kNames[static_cast<std::size_t>(mode)];
}

}  // namespace

Shape Conv2d::shape(const Shapes& in) const {
  const Shape x = in[kX];
  check_parameters(*this);
  check_channels(*this, x, slot(in, kWeight));
  check_padding(*this, x);
  check_vectors(*this, in);
  const std::int64_t P = output_extent(x.h, kernel_h, stride, padding_h,
                                       padding_bottom < 0 ? padding_h : padding_bottom, dilation);
  const std::int64_t Q = output_extent(x.w, kernel_w, stride, padding_w, padding_w, dilation);
  if (P < 1 || Q < 1) {
    throw ShapeError(fmt::format(
        "conv2d: a {}x{} kernel with dilation {} does not fit into x {} with padding {}x{}",
        kernel_h, kernel_w, dilation, to_string(x), padding_h, padding_w));
  }
  const Shape y{x.n, static_cast<int>(P), static_cast<int>(Q), outputs};
  const Shape residual = slot(in, kResidual);
  if (!residual.empty() && residual != y) {
    throw ShapeError(
        fmt::format("conv2d: residual is {}, but y is {}", to_string(residual), to_string(y)));
  }
  return y;
}

Cost Conv2d::cost(const Shapes& in) const {
  const Shape x = in[kX], y = shape(in);
  const double taps = static_cast<double>(kernel_h) * kernel_w * (x.c / groups);
  const double images =
      static_cast<double>(x.elements() + y.elements() + slot(in, kResidual).elements());
  const double constants = static_cast<double>(slot(in, kBias).elements()) * sizeof(float) +
                           taps * outputs * static_cast<double>(size_of(weight_type()));
  return {2 * taps * static_cast<double>(y.elements()),
          images * static_cast<double>(size_of(type)) + constants};
}

DType Conv2d::weight_type() const {
  return variant != nullptr && variant->device == DeviceKind::kCpu ? DType::kF32 : type;
}

Footprint Conv2d::footprint(const Shapes&) const {
  // Output p reads the rows p·stride − padding ... p·stride − padding + dilation·(R − 1), and
  // stands for the rows p·stride ... p·stride + stride − 1.
  const auto reach = [&](int kernel, int padding) {
    return std::max({0, padding, dilation * (kernel - 1) - padding - (stride - 1)});
  };
  const int tile = variant != nullptr ? variant->kernel.tile : 1;
  const int radius =
      std::max(reach(kernel_h, padding_h), reach(kernel_w, padding_w)) + (tile - 1) * stride;
  return {static_cast<double>(radius), 1.0 / stride, tile * stride, false};
}

std::string Conv2d::describe() const {
  std::string text = fmt::format("{}x{}", kernel_h, kernel_w);
  if (stride != 1) text += fmt::format(" stride {}", stride);
  if (padding_h != 0 || padding_w != 0) text += fmt::format(" padding {}x{}", padding_h, padding_w);
  if (padding_mode != PaddingMode::kZeros) text += fmt::format(" {}", name_of(padding_mode));
  if (dilation != 1) text += fmt::format(" dilation {}", dilation);
  if (groups != 1) text += fmt::format(" groups {}", groups);
  if (activation.kind != ActivationKind::kNone) text += " + " + mend::describe(activation);
  if (scale != 1.0f) text += fmt::format(" · {}", scale);
  if (adds_residual) text += " + residual";
  if (type != DType::kF32) text += fmt::format(" {}", mend::name_of(type));
  if (variant != nullptr) text += fmt::format(" [{}]", variant->name);
  return text;
}

namespace {

std::int64_t scratch_of(const Conv2dVariant& rung, const Conv2d& op, const Shapes& in) {
  return rung.kernel.scratch_bytes != nullptr ? rung.kernel.scratch_bytes(op, in) : 0;
}

}  // namespace

Shapes Conv2d::typical(const Shapes& in) const {
  constexpr int kSide = 256;
  Shapes typical = in;
  typical[Conv2d::kX] = {1, kSide, kSide, in[Conv2d::kX].c};
  if (typical.size() > Conv2d::kResidual && !in[Conv2d::kResidual].empty()) {
    typical[Conv2d::kResidual] = {};
    typical[Conv2d::kResidual] = shape(typical);
  }
  return typical;
}

namespace {

const Conv2dVariant& rung_of(const Conv2d& op, const Shapes& in, DeviceKind device) {
  return choose(conv2d_ladder(), op, op.typical(in), device);
}

}  // namespace

std::int64_t Conv2d::scratch_bytes(const Shapes& in) const {
  return variant != nullptr ? scratch_of(*variant, *this, in) : 0;
}

void Conv2d::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  if (variant == nullptr) {
    // Eager: choose a rung, pack into a temporary, and run as the plan would.
    const Shapes in = shapes_of(inputs);
    Conv2d fixed = *this;
    fixed.variant = &rung_of(*this, in, y.device().kind());
    std::vector<Tensor> operands(inputs.begin(), inputs.end());
    if (fixed.variant->kernel.packs()) {
      const PackConv2dWeight pack{fixed};
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
  if (type == DType::kF16) return variant->kernel.run_f16(call_of<Half>(*this, inputs, y, scratch));
  if (type == DType::kBF16)
    return variant->kernel.run_bf16(call_of<BFloat16>(*this, inputs, y, scratch));
  variant->kernel.run(call_of<float>(*this, inputs, y, scratch));
}

std::optional<Lowering> Conv2d::lower(const Shapes& in, DeviceKind device) const {
  if (variant != nullptr) return std::nullopt;
  Conv2d fixed = *this;
  fixed.variant = &rung_of(*this, in, device);
  Lowering lowering{fixed, std::vector<std::optional<AnyOp>>(in.size())};
  if (fixed.variant->kernel.packs()) lowering.repack[kWeight] = PackConv2dWeight{fixed};
  return lowering;
}

std::optional<Narrowed> Conv2d::narrow(const Shapes& in, DType to, DeviceKind device) const {
  Conv2d narrowed = *this;
  narrowed.type = to;
  if (device == DeviceKind::kCpu) {
    if (variant == nullptr || !variant->kernel.runs_narrow()) return std::nullopt;
    return Narrowed{narrowed, 1u << kX | 1u << kResidual};
  }
  // The plain rung takes every type, and is slower than f32's better ones. It alone packs no weight.
  const auto has_better = [&](const Conv2d& conv) {
    return rung_of(conv, in, device).kernel.packs();
  };
  const bool leads = has_better(narrowed);
  if (!leads && has_better(*this)) return std::nullopt;
  return Narrowed{narrowed, 1u << kX | 1u << kResidual, leads};
}

std::optional<RowPart> Conv2d::row_part(const Shapes& in, RowRange y) const {
  const int reach = dilation * (kernel_h - 1);
  if (variant == nullptr || padding_bottom >= 0 || padding_h > reach) return std::nullopt;
  const int tile = variant->kernel.tile;
  // A square of outputs that sticks out of the image would reflect other rows in a part.
  if (tile > 1 && padding_mode != PaddingMode::kZeros) return std::nullopt;
  const int first = y.begin * stride - padding_h;
  const int last_output = (y.end + tile - 1) / tile * tile - 1;  // of the last square
  const RowRange x{std::max(0, first),
                   std::min(in[kX].h, last_output * stride - padding_h + reach + 1)};
  Conv2d part = *this;
  part.padding_h = x.begin - first;
  part.padding_bottom =
      std::max(0, (y.count() - 1) * stride + reach + 1 - x.count() - part.padding_h);
  RowPart rows{part, std::vector<RowRange>(in.size()), tile};
  rows.inputs[kX] = x;
  if (!slot(in, kResidual).empty()) rows.inputs[kResidual] = y;
  return rows;
}

namespace {

/// My operands x, weight, bias and slope, nothing in the residual's slot.
std::vector<FusedInput> own_inputs() {
  return {{FusedInput::kMine, Conv2d::kX},
          {FusedInput::kMine, Conv2d::kWeight},
          {FusedInput::kMine, Conv2d::kBias},
          {FusedInput::kMine, Conv2d::kSlope},
          {}};
}

std::optional<Fusion> absorb_activation(Conv2d op, const Activate& next) {
  if (op.activation.kind != ActivationKind::kNone || op.scale != 1.0f) return std::nullopt;
  op.activation = next.activation;
  std::vector<FusedInput> inputs = own_inputs();
  inputs[Conv2d::kSlope] = {};
  if (next.activation.kind == ActivationKind::kPrelu) {
    inputs[Conv2d::kSlope] = {FusedInput::kNext, Activate::kSlope};
  }
  return Fusion{op, inputs};
}

std::optional<Fusion> absorb_sum(Conv2d op, const Binary& next, int position, const Shapes& in) {
  if (in[Binary::kX] != in[Binary::kZ]) return std::nullopt;  // the other one is broadcast
  const bool is_sum = next.kind == BinaryKind::kAdd;
  const bool is_taken_away = next.kind == BinaryKind::kSubtract && position == Binary::kZ;
  if (!is_sum && !is_taken_away) return std::nullopt;
  if (is_taken_away) op.scale = -op.scale;
  op.adds_residual = true;
  std::vector<FusedInput> inputs = own_inputs();
  inputs[Conv2d::kResidual] = {FusedInput::kNext, 1 - position};
  return Fusion{op, inputs};
}

}  // namespace

std::optional<Fusion> Conv2d::absorb(const AnyOp& next, int position, const Shapes& in) const {
  if (variant != nullptr || adds_residual) return std::nullopt;
  if (const auto* activate = next.as<Activate>()) return absorb_activation(*this, *activate);
  if (const auto* binary = next.as<Binary>()) return absorb_sum(*this, *binary, position, in);
  if (const auto* affine = next.as<Affine>(); affine != nullptr && affine->is_scale()) {
    Conv2d scaled = *this;
    scaled.scale *= affine->scale;
    return Fusion{scaled, own_inputs()};
  }
  return std::nullopt;
}

std::optional<Fusion> Conv2d::pair(const AnyOp& next, int position, const Shapes& in,
                                   const Shapes& next_in) const {
  return fuse_conv2d_pair(*this, next, position, in, next_in);
}

std::optional<Fold> Conv2d::fold(const AnyOp& next, int position, const Shapes& in) const {
  const auto* product = next.as<Binary>();
  const bool is_linear = activation.kind == ActivationKind::kNone && !adds_residual;
  if (product == nullptr || product->kind != BinaryKind::kMultiply || !is_linear ||
      variant != nullptr || type != DType::kF32 || product->type != DType::kF32 ||
      in[1 - position] != vector_shape(outputs)) {
    return std::nullopt;
  }
  return Fold{{{kWeight, ScaleFilters{}}, {kBias, *product}}};
}

Shape PackConv2dWeight::shape(const Shapes& in) const {
  return conv.variant->kernel.packed_shape(conv, in[0]);
}

Cost PackConv2dWeight::cost(const Shapes& in) const {
  return {0, static_cast<double>(in[0].elements() + shape(in).elements()) * sizeof(float)};
}

Footprint PackConv2dWeight::footprint(const Shapes&) const { return {}; }

std::string PackConv2dWeight::describe() const {
  std::string text = fmt::format("for {} groups {}", conv.variant->name, conv.groups);
  if (dtype() != DType::kF32) text += fmt::format(" {}", mend::name_of(dtype()));
  return text;
}

void PackConv2dWeight::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const Conv2dKernel& kernel = conv.variant->kernel;
  if (kernel.launch_pack != nullptr) return kernel.launch_pack(conv, inputs[0], y);
  kernel.pack(conv, inputs[0].view<const float>(), y.view<float>());
}

}  // namespace op
}  // namespace mend
