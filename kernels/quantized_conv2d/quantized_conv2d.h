// 2-D convolution of 8-bit activations.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/conv2d/conv2d.h"

namespace mend {

struct QuantizedConv2dKernel;
namespace op {
struct QuantizedConv2d;
}
/// One rung of the ladder; see kernels/quantized_conv2d/variant.h.
using QuantizedConv2dVariant = Variant<op::QuantizedConv2d, QuantizedConv2dKernel>;

namespace op {

/// op::Conv2d with x, and perhaps y, as 8-bit integers (engine/quantization.h):
///
///   y = quantize(conv2d(dequantize(x, code_x), weight, bias, slope, residual), code_y)
///
/// x [N,H,W,C] i8   weight, bias, slope, residual as conv2d has them, f32
/// code_x [1,1,2,C]   code_y [1,1,2,K] or absent -> y [N,P,Q,K], i8 or, without code_y, f32
/// Pixels outside x are as padding_mode says; zeros are zeros, whatever their code.
/// Throws ShapeError as conv2d does, and if a code is not of the right size.
///
/// The scales of x are folded into the weights, so one for each channel costs nothing. How much a rung
/// loses beyond the 8 bits is the ladder's error_within, of z, relative.
struct QuantizedConv2d {
  static constexpr std::string_view kName = "quantized_conv2d";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kWeight, kBias, kSlope, kResidual, kCodeX, kCodeY, kSlots };

  Conv2d conv;  ///< without a variant of its own
  bool quantizes_output = false;
  /// The rung to run and whose packing the weight has; null: choose one, the weight is [K,R,S,C].
  const QuantizedConv2dVariant* variant = nullptr;

  Shape shape(const Shapes& in) const;
  DType dtype() const { return quantizes_output ? DType::kI8 : DType::kF32; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  std::optional<Lowering> lower(const Shapes& in, DeviceKind device) const;
};

/// The weight as its rung wants it: weight [K,R,S,C], code_x -> bytes [1,1,1,count].
/// The planner runs it once, before the first run; on the CPU, for whatever device.
struct PackQuantizedConv2dWeight {
  static constexpr std::string_view kName = "pack_quantized_conv2d_weight";

  QuantizedConv2d conv;  ///< with its variant

  Shape shape(const Shapes& in) const;
  DType dtype() const { return DType::kI8; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op

/// All rungs of quantized_conv2d, naive to fastest.
std::span<const QuantizedConv2dVariant> quantized_conv2d_ladder();

}  // namespace mend
