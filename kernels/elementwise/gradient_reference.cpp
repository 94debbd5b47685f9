// The truth: the formulas of gradient.h, element by element, with sums in double.
#include <algorithm>
#include <vector>

#include "kernels/elementwise/gradient.h"

namespace mend {

void sum_to_reference(const op::SumTo& op, View<const float> x, View<const float> z, View<float> y,
                      Scratch) {
  const Shape& to = y.shape;
  std::vector<double> sums(static_cast<std::size_t>(to.elements()), 0.0);
  for (int n = 0; n < x.shape.n; ++n)
    for (int h = 0; h < x.shape.h; ++h)
      for (int w = 0; w < x.shape.w; ++w)
        for (int c = 0; c < x.shape.c; ++c) {
          const std::int64_t row = (to.n == 1 ? 0 : n) * std::int64_t{to.h} + (to.h == 1 ? 0 : h);
          const std::int64_t pixel = row * to.w + (to.w == 1 ? 0 : w);
          double factor = z ? z(n, h, w, c) : 1;
          if (op.negative_part) factor = std::min(factor, 0.0);
          sums[static_cast<std::size_t>(pixel * to.c + (to.c == 1 ? 0 : c))] +=
              x(n, h, w, c) * factor;
        }
  std::size_t next = 0;
  for (int n = 0; n < to.n; ++n)
    for (int h = 0; h < to.h; ++h)
      for (int w = 0; w < to.w; ++w)
        for (int c = 0; c < to.c; ++c) y(n, h, w, c) = static_cast<float>(sums[next++]);
}

void affine_gradient_reference(const op::AffineGradient& op, View<const float> x,
                               View<const float> dy, View<float> y) {
  for (int n = 0; n < y.shape.n; ++n)
    for (int h = 0; h < y.shape.h; ++h)
      for (int w = 0; w < y.shape.w; ++w)
        for (int c = 0; c < y.shape.c; ++c) {
          const double value = double{op.scale} * x(n, h, w, c) + op.offset;
          const bool passes = value >= op.low && value <= op.high;
          y(n, h, w, c) = passes ? op.scale * dy(n, h, w, c) : 0.0f;
        }
}

}  // namespace mend
