// The truth: the formula, element by element.
#include "kernels/pixel_shuffle/variants.h"

namespace mend {

void pixel_shuffle_reference(const op::PixelShuffle& shuffle, View<const float> x, View<float> y) {
  const int r = shuffle.factor;
  for (int n = 0; n < x.shape.n; ++n)
    for (int h = 0; h < x.shape.h; ++h)
      for (int w = 0; w < x.shape.w; ++w)
        for (int c = 0; c < y.shape.c; ++c)
          for (int i = 0; i < r; ++i)
            for (int j = 0; j < r; ++j) {
              y(n, h * r + i, w * r + j, c) = x(n, h, w, c * r * r + i * r + j);
            }
}

void pixel_unshuffle_reference(const op::PixelUnshuffle& unshuffle, View<const float> x,
                               View<float> y) {
  const int r = unshuffle.factor;
  for (int n = 0; n < y.shape.n; ++n)
    for (int h = 0; h < y.shape.h; ++h)
      for (int w = 0; w < y.shape.w; ++w)
        for (int c = 0; c < x.shape.c; ++c)
          for (int i = 0; i < r; ++i)
            for (int j = 0; j < r; ++j) {
              y(n, h, w, c * r * r + i * r + j) = x(n, h * r + i, w * r + j, c);
            }
}

}  // namespace mend
