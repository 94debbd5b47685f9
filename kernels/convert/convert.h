// The same numbers in another type.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "engine/passes.h"

namespace mend {
namespace op {

/// y = x, rounded to the nearest (ties to even) where `to` has fewer bits; beyond its reach, infinity.
///
/// x [N,H,W,C] of the type `from` -> y like x, of the type `to`. One of the two is f32, the other f16 or
/// bf16. NaN stays NaN.
struct Convert {
  static constexpr std::string_view kName = "convert";
  static constexpr bool kOnGpu = true;

  DType from = DType::kF32, to = DType::kF16;

  Shape shape(const Shapes& in) const { return in[0]; }
  DType dtype() const { return to; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes&) const { return {}; }
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op

using ConvertKernel = void (*)(const Tensor& x, const Tensor& y);
std::span<const Variant<op::Convert, ConvertKernel>> convert_ladder();

/// For plans that keep images in `type`, f16 or bf16.
NarrowImages narrow_images(DType type);

}  // namespace mend
