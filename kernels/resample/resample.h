// Changing the size of an image.
#pragma once

#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"

namespace mend {

enum class ResampleMode {
  kNearest,       // x[floor(p·H/P)], PyTorch's and OpenCV's old rule
  kNearestExact,  // x[floor((p + 0.5)·H/P)], Pillow's and scikit-image's rule
  kBilinear,
  kBicubic,  // Keys 1981 with a = -0.75, as in PyTorch and OpenCV; -0.5 with antialias, as in Pillow
  kArea,     // the mean of the input pixels that the output pixel covers
};

namespace op {

/// x resized to `height` x `width` pixels.
///
/// x [N,H,W,C] -> y [N,height,width,C]
/// align_corners: the centres of the corner pixels coincide (kBilinear, kBicubic); else the image's
/// edges do. antialias: when shrinking, the kernel widens with the scale (kBilinear, kBicubic).
/// `scale_h`, `scale_w` (output pixels per input pixel) are used for positions when given (> 0), as
/// PyTorch does when called with scale_factor; else they are height/H and width/W.
/// Equals torch.nn.functional.interpolate.
struct Resample {
  static constexpr std::string_view kName = "resample";

  ResampleMode mode = ResampleMode::kNearest;
  int height = 0, width = 0;
  double scale_h = 0, scale_w = 0;
  bool align_corners = false, antialias = false;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op
}  // namespace mend
