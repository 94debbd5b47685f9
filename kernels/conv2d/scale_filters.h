// Factors behind a convolution as part of its weight.
#pragma once

#include <string_view>

#include "engine/op.h"

namespace mend::op {

/// y[k,r,s,c] = weight[k,r,s,c] · factor[k]
///
/// weight [K,R,S,C]   factor [1,1,1,K] -> y like weight. Throws ShapeError if there are not K factors.
/// A plan runs it once: factors of its outputs behind a convolution then cost nothing.
struct ScaleFilters {
  static constexpr std::string_view kName = "scale_filters";
  enum Slot { kWeight, kFactor };

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes&) const { return {}; }
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace mend::op
