// Channels side by side: concatenation, slices, repetition. A slice is a view and costs nothing; a
// concatenation costs nothing in a plan, where its inputs are written in place.
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

/// y[n,h,w,:] = x0[n,h,w,:] ++ x1[n,h,w,:] ++ ...
///
/// x_i [N,H,W,C_i] -> y [N,H,W,ΣC_i]. Throws ShapeError if N, H or W differ.
/// An input whose pixels already are that slice of y is left alone.
struct Concat {
  static constexpr std::string_view kName = "concat";
  static constexpr bool kOnGpu = true;
  static constexpr bool kJoinsChannels = true;

  /// Of all x and y: f32, f16 or bf16.
  DType type = DType::kF32;

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType type, DeviceKind device) const;
};

/// y[n,h,w,c] = x[n,h,w,first + c], c in [0, count): a view of x.
/// Throws ShapeError if x has no such channels.
struct SliceChannels {
  static constexpr std::string_view kName = "slice_channels";

  int first = 0, count = 1;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const;
  std::optional<Tensor> view(const Tensor& x) const;
};

}  // namespace op

using ConcatKernel = NarrowableKernel<op::Concat, void (*)(Inputs inputs, View<float> y)>;
std::span<const Variant<op::Concat, ConcatKernel>> concat_ladder();

}  // namespace mend
