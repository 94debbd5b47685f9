// The gradient of resampling: every output pixel's gradient goes back to the input pixels that it was
// made of, with the same weights.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/resample/resample.h"

namespace mend {
namespace op {

/// y[n,h,w,c] = Σ_{p,q} weight(p,q ← h,w) · dy[n,p,q,c], the weights with which op::Resample makes its
/// output pixel (p,q) of the input pixel (h,w).
///
/// dy [N, resample.height, resample.width, C] -> y [N,height,width,C]
struct ResampleGradient {
  static constexpr std::string_view kName = "resample_gradient";
  static constexpr bool kOnGpu = true;

  Resample resample;
  int height = 0, width = 0;  ///< of the image that was resampled

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op

using ResampleGradientKernel = void (*)(const op::ResampleGradient& op, View<const float> dy,
                                        View<float> y, Scratch scratch);
std::span<const Variant<op::ResampleGradient, ResampleGradientKernel>> resample_gradient_ladder();

}  // namespace mend
