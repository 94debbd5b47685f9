// Transposed 2-D convolution: the upsampling layer of FSRCNN and of many U-Nets.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/activation/activation.h"

namespace mend::op {

/// Transposed 2-D cross-correlation: every input pixel adds its weighted kernel to the output.
///
///   z[n,p,q,k] = b[k] + Σ x[n,h,w,c] · weight[k,r,s,c]
///                over all h,w,r,s,c with p = h·stride + r − padding and q = w·stride + s − padding
///   y = activation(z)
///
/// x [N,H,W,C]   weight [K,R,S,C/groups]   b [1,1,1,K] or absent   slope as in op::Activate
/// -> y [N,P,Q,K],   P = (H − 1)·stride − 2·padding + R + output_padding, Q likewise
/// Throws ShapeError if channels and groups disagree or y would be empty.
/// Equals torch.nn.functional.conv_transpose2d with its [C,K/groups,R,S] weights permuted.
struct ConvTranspose2d {
  static constexpr std::string_view kName = "conv_transpose2d";
  enum Slot { kX, kWeight, kBias, kSlope, kSlots };

  int stride = 1, padding = 0, output_padding = 0, groups = 1;
  Activation activation;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace mend::op
