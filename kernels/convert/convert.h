// The same numbers in another type.
#pragma once

#include <optional>
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
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

/// y = x, in f32 where a plan keeps images in 16 bits too: between a network and its losses.
///
/// x [N,H,W,C] -> y like x.
struct AsF32 {
  static constexpr std::string_view kName = "as_f32";
  static constexpr bool kOnGpu = true;

  Shape shape(const Shapes& in) const { return in[0]; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes&) const { return {}; }
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  /// The conversion itself.
  std::optional<Narrowed> narrow(const Shapes& in, DType type) const;
};

}  // namespace op

using ConvertKernel = void (*)(const Tensor& x, const Tensor& y);
std::span<const Variant<op::Convert, ConvertKernel>> convert_ladder();

// On one thread, for kernels that read and write narrow images and compute in f32.

/// y = x
void widen_pixels(View<const Half> x, View<float> y);
void widen_pixels(View<const BFloat16> x, View<float> y);
/// y = x + residual, which may be absent, rounded as Convert does it.
void narrow_pixels(View<const float> x, View<const Half> residual, View<Half> y);
void narrow_pixels(View<const float> x, View<const BFloat16> residual, View<BFloat16> y);

/// For plans that keep images in `type`, f16 or bf16.
NarrowImages narrow_images(DType type);

}  // namespace mend
