#include "train/holes.h"

#include <fmt/format.h>

#include "engine/error.h"

namespace mend {

Tensor draw_mask(const Degradation& steps, int height, int width, RandomStream& random) {
  const Tensor white = Tensor::full({1, height, width, 1}, 1);
  const Tensor marked = steps(white, {random, height, width});
  if (marked.shape() != white.shape()) {
    throw UsageError(fmt::format("mask: the steps end at {}, but the picture is {}x{}",
                                 to_string(marked.shape()), width, height));
  }
  const Tensor mask = Tensor::empty(white.shape());
  const View<const float> from = marked.view<const float>();
  const View<float> to = mask.view<float>();
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) to(0, y, x, 0) = from(0, y, x, 0) == 1 ? 0.0f : 1.0f;
  return mask;
}

}  // namespace mend
