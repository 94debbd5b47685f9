// Numbers as 8-bit integers.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"

namespace mend {
namespace op {

/// q[n,h,w,c] = x[n,h,w,c] / scale[c] + zero[c], rounded to the nearest (ties to even), in −128..127.
///
/// x [N,H,W,C] f32   code [1,1,2,C] (engine/quantization.h) -> q [N,H,W,C] i8. Throws ShapeError if the
/// code is not of the right size. What lies beyond the code's reach saturates.
struct Quantize {
  static constexpr std::string_view kName = "quantize";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kCode };

  Shape shape(const Shapes& in) const;
  DType dtype() const { return DType::kI8; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op

using QuantizeKernel = void (*)(View<const float> x, View<const float> code, View<std::int8_t> q);
std::span<const Variant<op::Quantize, QuantizeKernel>> quantize_ladder();

}  // namespace mend
