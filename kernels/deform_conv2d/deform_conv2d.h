// Convolution that chooses where to look: every tap of every output has an offset of its own.
//
// Next idea: where offsets are small, all outputs of a block read the same few pixels; sampling
// after the product (Σ_c first, at whole positions) would then cost one 1x1 convolution.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"

namespace mend {

namespace op {

/// Deformable convolution, modulated if there is a mask.
///
///   y[n,p,q,k] = b[k] + Σ_{r,s,c} weight[k,r,s,c] · mask[n,p,q,t] · x(n, h, w, c)
///   h = p·stride + r·dilation − padding_h + offset[n,p,q,2t]
///   w = q·stride + s·dilation − padding_w + offset[n,p,q,2t + 1]
///   t = (g·R + r)·S + s,   g = the offset group of channel c, one of G equal parts of C
///
/// x between pixels is bilinear, with zeros around the image. c runs over the channels of k's group.
///
/// x [N,H,W,C]   offset [N,P,Q,2·G·R·S]: rows (downwards) first   mask [N,P,Q,G·R·S], or absent for 1
/// weight [K,R,S,C/groups]   b [1,1,1,K] or absent
/// -> y [N,P,Q,K],   P = (H + 2·padding_h − dilation·(R−1) − 1) / stride + 1, Q likewise
/// An offset that is not a finite number gives NaN. A trailing absent input may be left out.
/// Throws ShapeError if weight, offset, mask and parameters disagree or y would be empty.
/// Equals torchvision.ops.deform_conv2d with NCHW permuted to NHWC and OIHW to K,R,S,C.
/// Dai et al. 2017, arXiv:1703.06211, equation 2; with the mask Zhu et al. 2019, arXiv:1811.11168,
/// equation 1.
///
/// Footprint: global, as only the offsets say how far away an output looks.
struct DeformConv2d {
  static constexpr std::string_view kName = "deform_conv2d";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kOffset, kMask, kWeight, kBias, kSlots };

  int kernel_h = 1, kernel_w = 1;
  int stride = 1, padding_h = 0, padding_w = 0, dilation = 1, groups = 1;
  int offset_groups = 1;  ///< G

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  /// To all inputs: gradient.h.
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

}  // namespace op

/// One call of a rung; op::DeformConv2d says what the letters mean. Absent operands have no data.
struct DeformConv2dCall {
  const op::DeformConv2d& op;
  View<const float> x, offset, mask, weight, bias;
  View<float> y;
  Scratch scratch;
};

struct DeformConv2dKernel {
  /// Working memory of one run; null: none. Grows with threads(), so ask under the count that runs.
  std::int64_t (*scratch_bytes)(const op::DeformConv2d& op, const Shapes& in);
  void (*run)(const DeformConv2dCall& call);
};
std::span<const Variant<op::DeformConv2d, DeformConv2dKernel>> deform_conv2d_ladder();

/// The call of a kernel on these inputs.
DeformConv2dCall deform_conv2d_call(const op::DeformConv2d& op, Inputs inputs, const Tensor& y,
                                    Scratch scratch);

}  // namespace mend
