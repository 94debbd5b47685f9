// The truth: each output element looks up where it comes from.
#include "kernels/pad/variants.h"

namespace mend {

void pad_reference(const op::Pad& pad, View<const float> x, View<float> y) {
  for (int n = 0; n < y.shape.n; ++n)
    for (int p = 0; p < y.shape.h; ++p)
      for (int q = 0; q < y.shape.w; ++q) {
        const int h = padding_source(pad.mode, p - pad.top, x.shape.h);
        const int w = padding_source(pad.mode, q - pad.left, x.shape.w);
        const bool inside = h >= 0 && w >= 0;
        for (int c = 0; c < y.shape.c; ++c) y(n, p, q, c) = inside ? x(n, h, w, c) : pad.value;
      }
}

}  // namespace mend
