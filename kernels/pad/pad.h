// Pixels around an image, and away from it.
//
// Footprints and tiles. A pixel is where it is in the image, not where its index says: row `top` of
// a padded image is row 0 of the image, so padding and cropping see nothing around a pixel (radius
// 0), whatever the later operations do with the border. Three cases matter to a tiler:
//
//   a mirrored pixel k beyond the edge shows the pixel k (or k - 1) inside it. An output near the
//   edge that looks R pixels far sees it only if the mirrored pixel is within R as well: the halo
//   of R that its tile has anyway holds it.
//   padding at the right and bottom up to a multiple of g adds nothing to a tile whose extents are
//   multiples of g, and to the last tile just what it adds to the whole image if that tile starts
//   at a multiple of g. The windows or strides that wanted the multiple bring that grid along.
//   circular padding shows the opposite side: global.
//
// The last tile must be as large as its mirror: at least bottom + 1 rows and right + 1 columns.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/narrow.h"
#include "kernels/pad/mode.h"

namespace mend {

namespace op {

/// x with pixels added on its four sides.
///
/// x [N,H,W,C] -> y [N, H + top + bottom, W + left + right, C]
/// kConstant: `value`. kReflect: mirrored without the edge pixel, at most H−1 rows and W−1 columns.
/// kReplicate: the edge pixel again. kCircular: from the opposite side, at most H and W.
/// kSymmetric: mirrored with the edge pixel, at most H and W (numpy's "symmetric").
/// Equals torch.nn.functional.pad. Throws ShapeError if a mirror is wider than the image or a side
/// is negative (see Crop).
struct Pad {
  static constexpr std::string_view kName = "pad";
  static constexpr bool kOnGpu = true;

  int top = 0, bottom = 0, left = 0, right = 0;
  PadMode mode = PadMode::kConstant;
  float value = 0.0f;
  /// Of x and y: f32, or on a GPU f16 or bf16.
  DType type = DType::kF32;

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType type) const;
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
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<Tensor> view(const Tensor& x) const;
};

}  // namespace op

using PadKernel =
    NarrowableKernel<op::Pad, void (*)(const op::Pad&, View<const float> x, View<float> y)>;
std::span<const Variant<op::Pad, PadKernel>> pad_ladder();

}  // namespace mend
