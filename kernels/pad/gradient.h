// The gradient of padding: what the border was made of gets the border's gradient back.
#pragma once

#include <memory_resource>
#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/pad/pad.h"
#include "kernels/separable_gradient.h"

namespace mend {
namespace op {

/// The border folded back.
///
///   y[n,h,w,c] = Σ dy[n,p,q,c] over all pixels (p,q) of the padded image that show x[n,h,w,c]
///
/// dy [N, H + top + bottom, W + left + right, C] -> y [N,H,W,C]. With kConstant it is a copy of the
/// window in the middle. Throws ShapeError if nothing is left in the middle.
struct PadGradient {
  static constexpr std::string_view kName = "pad_gradient";
  static constexpr bool kOnGpu = true;

  Pad pad;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op

/// Pixels on the four sides of an image.
struct ImageMargins {
  int top = 0, bottom = 0, left = 0, right = 0;
};
/// x without its margins, as a dense copy, for unlike a view of op::Crop that can be reshaped; below 0,
/// zeros are added on that side. x itself if all are 0.
Tensor without_margins(const Tensor& x, const ImageMargins& margins);

using PadGradientKernel = void (*)(const op::Pad&, View<const float> dy, View<float> y,
                                   Scratch scratch);
std::span<const Variant<op::PadGradient, PadGradientKernel>> pad_gradient_ladder();

// The rungs.
void pad_gradient_reference(const op::Pad& pad, View<const float> dy, View<float> y, Scratch);
void pad_gradient_rows(const op::Pad& pad, View<const float> dy, View<float> y, Scratch scratch);
void pad_gradient_cuda(const op::Pad& pad, View<const float> dy, View<float> y, Scratch);

/// For each row (or column) of an image of `extent`, those of the padded image that show it.
TransposedTaps padding_shown_by(
    PadMode mode, int before, int extent, int padded,
    std::pmr::memory_resource* memory = std::pmr::get_default_resource());

}  // namespace mend
