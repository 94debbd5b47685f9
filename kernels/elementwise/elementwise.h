// Arithmetic element by element: bound by memory, so the best rung is not to run at all. Convolutions
// absorb what they can; what is left over runs at the speed of a copy.
//
// In a plan, chains of such steps run on a few rows at a time, in L2 (engine/row_schedule.h).
#pragma once

#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/elementwise/kind.h"
#include "kernels/narrow.h"

namespace mend {

namespace op {

/// y = min(max(scale · x + offset, low), high)
///
/// x [N,H,W,C] -> y like x. NaN stays NaN. With the defaults y is x.
struct Affine {
  static constexpr std::string_view kName = "affine";
  static constexpr bool kOnGpu = true;
  enum Slot { kX };

  float scale = 1.0f, offset = 0.0f;
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();

  /// Of x and y: f32, or on a GPU f16 or bf16, computed in f32.
  DType type = DType::kF32;

  /// Only a factor: y = scale · x.
  bool is_scale() const;

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType type) const;
  /// Another affine step behind an unbounded one: s2·(s1·x + o1) + o2 is one affine step too.
  std::optional<Fusion> absorb(const AnyOp& next, int position, const Shapes& in) const;
};

/// y[n,h,w,c] = x[n,h,w,c] ∘ z[n,h,w,c], where an extent of 1 in x or z stands for all (broadcast)
///
/// x, z: extents equal or 1 -> y the larger extent of each. Throws ShapeError otherwise.
/// kMinimum and kMaximum give NaN where either is NaN, as torch.minimum does.
/// kPower is x^z for x >= 0, else NaN; the fast rung's relative error is below 3e-7 · (1 + |z·ln x|),
/// it counts x below 2^-126 as 0, and stays within 1e-38 and 2e38.
/// A vector [1,1,1,C] scales channels, a map [N,H,W,1] pixels, [N,1,1,C] gates of each image.
struct Binary {
  static constexpr std::string_view kName = "binary";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kZ };

  BinaryKind kind = BinaryKind::kAdd;
  /// Of x, z and y: f32, or on a GPU f16 or bf16, computed in f32.
  DType type = DType::kF32;

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType type) const;
};

}  // namespace op

using AffineKernel =
    NarrowableKernel<op::Affine, void (*)(const op::Affine&, View<const float> x, View<float> y)>;
using BinaryKernel = NarrowableKernel<op::Binary, void (*)(const op::Binary&, View<const float> x,
                                                           View<const float> z, View<float> y)>;
std::span<const Variant<op::Affine, AffineKernel>> affine_ladder();
std::span<const Variant<op::Binary, BinaryKernel>> binary_ladder();

}  // namespace mend
