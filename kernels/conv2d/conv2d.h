// 2-D convolution.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/activation/activation.h"
#include "kernels/conv2d/padding_mode.h"

namespace mend {

struct Conv2dKernel;
namespace op {
struct Conv2d;
}
/// One rung of the ladder; see kernels/conv2d/variant.h.
using Conv2dVariant = Variant<op::Conv2d, Conv2dKernel>;

namespace op {

/// 2-D cross-correlation with a fused epilogue.
///
///   z[n,p,q,k] = b[k] + Σ_{r,s,c} x[n,h,w,c] · weight[k,r,s,c]
///   h = p·stride + r·dilation − padding_h,   w = q·stride + s·dilation − padding_w
///   y = scale · activation(z) + residual
///
/// x [N,H,W,C]   weight [K,R,S,C/groups]   b [1,1,1,K] or absent
/// slope [1,1,1,K] or [1,1,1,1] for a kPrelu activation, else absent   residual like y or absent
/// -> y [N,P,Q,K],   P = (H + 2·padding_h − dilation·(R−1) − 1) / stride + 1, Q likewise
/// Pixels outside x are as padding_mode says. Throws ShapeError if weight and parameters, channels
/// and groups disagree, y would be empty, or a reflection is wider than the image.
/// Trailing absent inputs may be left out.
/// Equals torch.nn.functional.conv2d with its OIHW weights permuted to K,R,S,C.
struct Conv2d {
  static constexpr std::string_view kName = "conv2d";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kWeight, kBias, kSlope, kResidual, kSlots };

  int kernel_h = 1, kernel_w = 1;
  int stride = 1, padding_h = 0, padding_w = 0, dilation = 1, groups = 1;
  PaddingMode padding_mode = PaddingMode::kZeros;
  Activation activation = {};
  float scale = 1.0f;
  /// Whether the epilogue ends in a residual; nothing more can be absorbed behind one.
  bool adds_residual = false;
  /// Rows of padding below the image where that is not padding_h: parts of an image have padding only
  /// at the image's edges. -1: as padding_h.
  int padding_bottom = -1;
  /// The rung to run and whose packing the weight has; null: choose one, the weight is [K,R,S,C].
  const Conv2dVariant* variant = nullptr;
  /// K. The shape of a packed weight does not tell it.
  int outputs = 0;
  /// Of x, residual and y: f32, or where a rung takes them f16 or bf16, then with f32 sums. Bias, slope and
  /// weight are f32; on a GPU a rung's packed weight is of this type.
  DType type = DType::kF32;

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  /// Of the packed weight.
  DType weight_type() const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<Fusion> absorb(const AnyOp& next, int position, const Shapes& in) const;
  /// op::Conv2dPair.
  std::optional<Fusion> pair(const AnyOp& next, int position, const Shapes& in,
                             const Shapes& next_in) const;
  /// A factor for each output goes into weight and bias.
  std::optional<Fold> fold(const AnyOp& next, int position, const Shapes& in) const;
  std::optional<Lowering> lower(const Shapes& in, DeviceKind device) const;
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const;
  /// op::QuantizedConv2d, where it has a fast rung.
  std::optional<Quantized> quantize(const Shapes& in, bool output) const;
  /// Where a rung on tensor cores takes the type, or the rung on the CPU that it has.
  std::optional<Narrowed> narrow(const Shapes& in, DType to, DeviceKind device) const;

  /// `in` with an image of 256x256, for which the rung is chosen whatever the image: were small ones
  /// to run on another rung than large ones, the tiles of an image would differ from the whole in
  /// their last bits.
  Shapes typical(const Shapes& in) const;
};

/// The weight of a convolution as its rung wants it: [K,R,S,C/groups] -> what the rung says.
/// The planner runs it once, before the first run.
struct PackConv2dWeight {
  static constexpr std::string_view kName = "pack_conv2d_weight";
  static constexpr bool kOnGpu = true;

  Conv2d conv;  ///< with its variant

  Shape shape(const Shapes& in) const;
  DType dtype() const { return conv.weight_type(); }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op

/// All rungs of conv2d, naive to fastest.
std::span<const Conv2dVariant> conv2d_ladder();

}  // namespace mend
