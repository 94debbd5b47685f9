// Transposed 2-D convolution: the upsampling layer of FSRCNN and of many U-Nets.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/activation/activation.h"

namespace mend {

struct ConvTranspose2dKernel;
namespace op {
struct ConvTranspose2d;
}
/// One rung of the ladder; see kernels/conv_transpose2d/variant.h.
using ConvTranspose2dVariant = Variant<op::ConvTranspose2d, ConvTranspose2dKernel>;

namespace op {

/// Transposed 2-D cross-correlation: every input pixel adds its weighted kernel to the output.
///
///   z[n,p,q,k] = b[k] + Σ x[n,h,w,c] · weight[k,r,s,c]
///                over all h,w,r,s,c with p = h·stride + r − padding and q = w·stride + s − padding
///   y = activation(z)
///
/// x [N,H,W,C]   weight [K,R,S,C/groups]   b [1,1,1,K] or absent   slope as in op::Activate
/// -> y [N,P,Q,K],   P = (H − 1)·stride − 2·padding + R + output_padding, Q likewise
/// Throws ShapeError if channels and groups disagree or y would be empty.
/// Trailing absent inputs may be left out.
/// Equals torch.nn.functional.conv_transpose2d with its [C,K/groups,R,S] weights permuted.
struct ConvTranspose2d {
  static constexpr std::string_view kName = "conv_transpose2d";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kWeight, kBias, kSlope, kSlots };

  int stride = 1, padding = 0, output_padding = 0, groups = 1;
  Activation activation = {};
  /// The rung to run and whose packing the weight has; null: choose one, the weight is [K,R,S,C].
  const ConvTranspose2dVariant* variant = nullptr;
  /// R, S and K, which a packed weight's shape does not tell. Set with `variant`; until then the
  /// weight's shape is what counts.
  int kernel_h = 0, kernel_w = 0, outputs = 0;
  /// Of x and y: f32, or on a GPU f16 or bf16 with f32 sums; a rung's packed weight is of this type there.
  DType type = DType::kF32;

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<Fusion> absorb(const AnyOp& next, int position, const Shapes& in) const;
  std::optional<Lowering> lower(const Shapes& in, DeviceKind device) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType to) const;
};

/// The weight as the rung of `conv` wants it: [K,R,S,C/groups] -> what the rung says.
struct PackConvTranspose2dWeight {
  static constexpr std::string_view kName = "pack_conv_transpose2d_weight";
  static constexpr bool kOnGpu = true;

  ConvTranspose2d conv;  ///< with its variant

  Shape shape(const Shapes& in) const;
  DType dtype() const { return conv.type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op

/// All rungs of conv_transpose2d, naive to fastest.
std::span<const ConvTranspose2dVariant> conv_transpose2d_ladder();

}  // namespace mend
