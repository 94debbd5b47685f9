#include "kernels/conv2d/scale_filters.h"

#include <fmt/format.h>

#include "engine/error.h"

namespace mend::op {

Shape ScaleFilters::shape(const Shapes& in) const {
  const Shape& weight = in[kWeight];
  if (in[kFactor] != vector_shape(weight.n)) {
    throw ShapeError(fmt::format("scale_filters: factors {} for a weight {}",
                                 to_string(in[kFactor]), to_string(weight)));
  }
  return weight;
}

Cost ScaleFilters::cost(const Shapes& in) const {
  const double elements = static_cast<double>(in[kWeight].elements());
  return {elements, 2 * elements * sizeof(float)};
}

void ScaleFilters::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const View<const float> weight = inputs[kWeight].view<const float>();
  const float* factor = inputs[kFactor].view<const float>().data;
  const View<float> to = y.view<float>();
  const auto [K, R, S, C] = weight.shape;
  for (int k = 0; k < K; ++k)
    for (int r = 0; r < R; ++r)
      for (int s = 0; s < S; ++s)
        for (int c = 0; c < C; ++c) to(k, r, s, c) = weight(k, r, s, c) * factor[k];
}

}  // namespace mend::op
