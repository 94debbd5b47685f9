// Depth to space and back (Shi et al. 2016, arXiv:1609.05158).
//
// Not built yet: a convolution before the shuffle could order its output channels i, j, c (its
// weights repacked once); each large pixel would then be one copy of c numbers, or no copy at all.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/narrow.h"

namespace mend {
namespace op {

/// y[n, h·r + i, w·r + j, c] = x[n, h, w, c·r² + i·r + j]        (PyTorch's channel order)
///
/// x [N,H,W,C·r²] -> y [N,H·r,W·r,C]. Throws ShapeError if x's channels are no multiple of r².
struct PixelShuffle {
  static constexpr std::string_view kName = "pixel_shuffle";
  static constexpr bool kOnGpu = true;

  int factor = 2;
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
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const;
};

/// y[n, h, w, c·r² + i·r + j] = x[n, h·r + i, w·r + j, c]: the inverse of PixelShuffle.
///
/// x [N,H·r,W·r,C] -> y [N,H,W,C·r²]. Throws ShapeError if x's height or width is no multiple of r.
/// Its grid is r: a tile that starts inside a block of r x r pixels would deal them out otherwise.
struct PixelUnshuffle {
  static constexpr std::string_view kName = "pixel_unshuffle";
  static constexpr bool kOnGpu = true;

  int factor = 2;
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

}  // namespace op

using PixelShuffleKernel =
    NarrowableKernel<op::PixelShuffle,
                     void (*)(const op::PixelShuffle&, View<const float> x, View<float> y)>;
using PixelUnshuffleKernel =
    NarrowableKernel<op::PixelUnshuffle,
                     void (*)(const op::PixelUnshuffle&, View<const float> x, View<float> y)>;
std::span<const Variant<op::PixelShuffle, PixelShuffleKernel>> pixel_shuffle_ladder();
std::span<const Variant<op::PixelUnshuffle, PixelUnshuffleKernel>> pixel_unshuffle_ladder();

}  // namespace mend
