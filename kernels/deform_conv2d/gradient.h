// What the gradients of the deformable convolution are made of. Its columns, what each tap sees, are
//
//   column[n,p,q,r,s,c] = mask[n,p,q,t] · x(n, h, w, c)   with h, w and t of op::DeformConv2d
//
// and the gradient goes through them: to the weights as dy · column, to the columns as dy · weight, and
// from those on to the four pixels that were read, to the masks and to the offsets, along which x changes
// as the bilinear kernel does. (Dai et al. 2017, arXiv:1703.06211, equation 7; Zhu et al. 2019,
// arXiv:1811.11168, section 2.1.)
//
// Next idea: a rung that keeps a block's columns in the cache and makes them once for all gradients.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/deform_conv2d/deform_conv2d.h"

namespace mend {
namespace op {

/// y[n,p,q,(r·S + s)·C + c] = Σ_k dy[n,p,q,k] · weight[k,r,s,c], over the outputs of c's group: the
/// gradient of the columns. weight [K,R,S,C/groups]   dy [N,P,Q,K] -> y [N,P,Q,R·S·C]
struct DeformColumnGradient {
  static constexpr std::string_view kName = "deform_column_gradient";
  static constexpr bool kOnGpu = true;
  enum Slot { kWeight, kDy };

  int groups = 1;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

/// dL/dx: y[n,h,w,c] is the sum of mask · weight · column over the taps that read (h,w), with the
/// weights of the bilinear kernel.
///
/// offset, mask as of the convolution   column [N,P,Q,R·S·C], the gradient of the columns
/// -> y [N,height,width,C]. Taps are added in the order of the outputs, in f32.
struct DeformImageGradient {
  static constexpr std::string_view kName = "deform_image_gradient";
  static constexpr bool kOnGpu = true;
  enum Slot { kOffset, kMask, kColumn };

  DeformConv2d convolution;
  int height = 0, width = 0;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

/// dL/doffset and, with `of_mask`, dL/dmask: with the sums over the channels of offset group g,
///
///   dmask[n,p,q,t] = Σ_c column · x(n, h, w, c)
///   doffset[n,p,q,2t] = mask[n,p,q,t] · Σ_c column · ∂x(n, h, w, c)/∂h,   2t + 1 likewise along w
///
/// x, offset, mask as of the convolution   column [N,P,Q,R·S·C], the gradient of the columns
/// -> y like offset or mask. On a pixel, where the kernel bends, the slope is that to the right and
/// downwards, as in torchvision. Summed in double.
struct DeformOffsetGradient {
  static constexpr std::string_view kName = "deform_offset_gradient";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kOffset, kMask, kColumn };

  DeformConv2d convolution;
  bool of_mask = false;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

/// dL/dweight: y[k,r,s,c] = Σ_{n,p,q} dy[n,p,q,k] · column[n,p,q,r,s,c], summed in double.
///
/// x, offset, mask as of the convolution   dy [N,P,Q,K] -> y [K,R,S,C/groups]
struct DeformWeightGradient {
  static constexpr std::string_view kName = "deform_weight_gradient";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kOffset, kMask, kDy };

  DeformConv2d convolution;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op

using DeformColumnGradientKernel = void (*)(const op::DeformColumnGradient& op,
                                            View<const float> weight, View<const float> dy,
                                            View<float> y);
std::span<const Variant<op::DeformColumnGradient, DeformColumnGradientKernel>>
deform_column_gradient_ladder();

using DeformImageGradientKernel = void (*)(const op::DeformImageGradient& op,
                                           View<const float> offset, View<const float> mask,
                                           View<const float> column, View<float> y);
std::span<const Variant<op::DeformImageGradient, DeformImageGradientKernel>>
deform_image_gradient_ladder();

using DeformOffsetGradientKernel = void (*)(const op::DeformOffsetGradient& op, View<const float> x,
                                            View<const float> offset, View<const float> mask,
                                            View<const float> column, View<float> y);
std::span<const Variant<op::DeformOffsetGradient, DeformOffsetGradientKernel>>
deform_offset_gradient_ladder();

using DeformWeightGradientKernel = void (*)(const op::DeformWeightGradient& op, View<const float> x,
                                            View<const float> offset, View<const float> mask,
                                            View<const float> dy, View<float> y, Scratch scratch);
std::span<const Variant<op::DeformWeightGradient, DeformWeightGradientKernel>>
deform_weight_gradient_ladder();

}  // namespace mend
