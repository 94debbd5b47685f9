// The gradient of a slice of channels: the slice again, among zeros.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"

namespace mend {
namespace op {

/// y[n,h,w,c] = x[n,h,w,c − first] for c in [first, first + x's channels), else 0
///
/// x [N,H,W,C] -> y [N,H,W,total]. Throws ShapeError if x's channels reach beyond `total`.
struct PlaceChannels {
  static constexpr std::string_view kName = "place_channels";
  static constexpr bool kOnGpu = true;

  int first = 0, total = 1;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const;
};

}  // namespace op

using PlaceChannelsKernel = void (*)(const op::PlaceChannels& op, View<const float> x,
                                     View<float> y);
std::span<const Variant<op::PlaceChannels, PlaceChannelsKernel>> place_channels_ladder();

}  // namespace mend
