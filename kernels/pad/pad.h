// Pixels around an image, and away from it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"

namespace mend {

enum class PadMode { kConstant, kReflect, kReplicate, kCircular, kSymmetric };

namespace op {

/// x with pixels added on its four sides.
///
/// x [N,H,W,C] -> y [N, H + top + bottom, W + left + right, C]
/// kConstant: `value`. kReflect: mirrored without the edge pixel, at most H−1 rows and W−1 columns.
/// kReplicate: the edge pixel again. kCircular: from the opposite side, at most H and W.
/// kSymmetric: mirrored with the edge pixel, at most H and W (numpy's "symmetric").
/// Equals torch.nn.functional.pad. Throws ShapeError if a mirror is wider than the image.
struct Pad {
  static constexpr std::string_view kName = "pad";

  int top = 0, bottom = 0, left = 0, right = 0;
  PadMode mode = PadMode::kConstant;
  float value = 0.0f;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

/// The window of h x w pixels at row `top`, column `left`: a view of x.
/// Throws ShapeError if the window does not lie in x.
struct Crop {
  static constexpr std::string_view kName = "crop";

  int top = 0, left = 0, h = 0, w = 0;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  std::optional<Tensor> view(const Tensor& x) const;
};

}  // namespace op
}  // namespace mend
