#include "kernels/quantized_conv2d/quantized_conv2d.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/quantization.h"
#include "kernels/inputs.h"
#include "kernels/quantize/quantize.h"
#include "kernels/quantized_conv2d/variant.h"

namespace mend {
namespace op {
namespace {

void check_code(const char* name, const Shape& code, int channels) {
  if (code == code_shape(channels)) return;
  throw ShapeError(fmt::format("quantized_conv2d: {} is {}, but {} channels need {}", name,
                               to_string(code), channels, to_string(code_shape(channels))));
}

/// What conv2d would be given, were the weight not packed.
Shapes plain_shapes(const QuantizedConv2d& op, const Shapes& in) {
  Shapes plain(in.begin(), in.begin() + std::min<std::size_t>(in.size(), Conv2d::kSlots));
  if (op.variant != nullptr) {
    plain[Conv2d::kWeight] = {op.conv.outputs, op.conv.kernel_h, op.conv.kernel_w,
                              in[QuantizedConv2d::kX].c / op.conv.groups};
  }
  return plain;
}

/// The rung for an image of any size: tiles of an image must run on that of the whole.
const QuantizedConv2dVariant& rung_of(const QuantizedConv2d& op, const Shapes& in,
                                      DeviceKind device) {
  constexpr int kSide = 256;
  Shapes typical = in;
  typical[QuantizedConv2d::kX] = {1, kSide, kSide, in[QuantizedConv2d::kX].c};
  if (!slot(in, QuantizedConv2d::kResidual).empty()) {
    typical[QuantizedConv2d::kResidual] = {};
    typical[QuantizedConv2d::kResidual] = op.shape(typical);
  }
  return choose(quantized_conv2d_ladder(), op, typical, device);
}

}  // namespace

Shape QuantizedConv2d::shape(const Shapes& in) const {
  const Shape y = conv.shape(plain_shapes(*this, in));
  check_code("code_x", slot(in, kCodeX), in[kX].c);
  if (quantizes_output) check_code("code_y", slot(in, kCodeY), conv.outputs);
  return y;
}

Cost QuantizedConv2d::cost(const Shapes& in) const {
  const Shapes plain = plain_shapes(*this, in);
  Cost cost = conv.cost(plain);
  const Shape y = conv.shape(plain);
  constexpr double kSaved = sizeof(float) - sizeof(std::int8_t);
  cost.bytes -= kSaved * static_cast<double>(in[kX].elements());
  if (quantizes_output) cost.bytes -= kSaved * static_cast<double>(y.elements());
  return cost;
}

Footprint QuantizedConv2d::footprint(const Shapes& in) const {
  Footprint footprint = conv.footprint(plain_shapes(*this, in));
  const int tile = variant != nullptr ? variant->kernel.tile : 1;
  footprint.radius += (tile - 1) * conv.stride;
  footprint.grid *= tile;
  return footprint;
}

std::string QuantizedConv2d::describe() const {
  std::string text = conv.describe() + (quantizes_output ? " i8 -> i8" : " i8 -> f32");
  if (variant != nullptr) text += fmt::format(" [{}]", variant->name);
  return text;
}

std::int64_t QuantizedConv2d::scratch_bytes(const Shapes& in) const {
  if (variant == nullptr || variant->kernel.scratch_bytes == nullptr) return 0;
  return variant->kernel.scratch_bytes(*this, in);
}

void QuantizedConv2d::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  if (variant == nullptr) {
    // Eager: choose a rung, pack into a temporary, and run as the plan would.
    QuantizedConv2d fixed = *this;
    fixed.variant = &rung_of(*this, shapes_of(inputs), y.device().kind());
    std::vector<Tensor> operands(inputs.begin(), inputs.end());
    if (fixed.variant->kernel.pack != nullptr) {
      operands[kWeight] = mend::apply(PackQuantizedConv2dWeight{fixed},
                                      {inputs[kWeight].on(cpu()), inputs[kCodeX].on(cpu())})
                              .on(y.device());
    }
    const std::int64_t bytes = fixed.scratch_bytes(shapes_of(operands));
    const Storage memory(static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1)), y.device());
    fixed.forward(operands, y, {memory.data(), memory.bytes()});
    return;
  }
  const bool packed = variant->kernel.pack != nullptr;
  QuantizedConv2dCall call{
      *this,
      view_of<std::int8_t>(inputs, kX),
      packed ? View<const float>{} : view_of<float>(inputs, kWeight),
      packed ? view_of<std::int8_t>(inputs, kWeight) : View<const std::int8_t>{},
      view_of<float>(inputs, kBias),
      view_of<float>(inputs, kSlope),
      view_of<float>(inputs, kResidual),
      view_of<float>(inputs, kCodeX),
      quantizes_output ? view_of<float>(inputs, kCodeY) : View<const float>{},
      {},
      {},
      scratch};
  if (quantizes_output) {
    call.y_i8 = y.view<std::int8_t>();
  } else {
    call.y_f32 = y.view<float>();
  }
  variant->kernel.run(call);
}

std::optional<Lowering> QuantizedConv2d::lower(const Shapes& in, DeviceKind device) const {
  if (variant != nullptr) return std::nullopt;
  QuantizedConv2d fixed = *this;
  fixed.variant = &rung_of(*this, in, device);
  Lowering lowering{fixed, std::vector<std::optional<AnyOp>>(in.size())};
  if (fixed.variant->kernel.pack != nullptr) {
    lowering.repack[kWeight] = PackQuantizedConv2dWeight{fixed};
    lowering.repack_reads = {kCodeX};
  }
  return lowering;
}

Shape PackQuantizedConv2dWeight::shape(const Shapes& in) const {
  return vector_shape(static_cast<int>(conv.variant->kernel.packed_bytes(conv, in[0])));
}

Cost PackQuantizedConv2dWeight::cost(const Shapes& in) const {
  return {0, static_cast<double>(in[0].elements()) * sizeof(float) +
                 static_cast<double>(shape(in).elements())};
}

Footprint PackQuantizedConv2dWeight::footprint(const Shapes&) const { return {}; }

std::string PackQuantizedConv2dWeight::describe() const {
  return fmt::format("for {}", conv.variant->name);
}

void PackQuantizedConv2dWeight::forward(Inputs inputs, const Tensor& y, Scratch) const {
  conv.variant->kernel.pack(conv, inputs[0].view<const float>(), inputs[1].view<const float>(),
                            y.view<std::int8_t>());
}

std::optional<Quantized> Conv2d::quantize(const Shapes& in, bool output) const {
  // With few channels quantizing x costs about what the products save, and a first layer's x is the
  // picture: it keeps all of its bits.
  constexpr int kFewest = 16;
  if (variant != nullptr || in[kX].c < kFewest) return std::nullopt;
  const QuantizedConv2d op{*this, output};
  for (const QuantizedConv2dVariant& rung : quantized_conv2d_ladder()) {
    const bool on_cpu = rung.device == DeviceKind::kCpu;  // the same steps for every device
    if (on_cpu && rung.kernel.pack != nullptr && rung.refuses(op, in).empty()) {
      return Quantized{op, Quantize{}, QuantizedConv2d::kCodeX};
    }
  }
  return std::nullopt;
}

}  // namespace op
}  // namespace mend
