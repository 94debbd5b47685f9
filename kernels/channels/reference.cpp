// The truth: element by element.
#include "kernels/channels/variants.h"

namespace mend {

void concat_reference(Inputs inputs, View<float> y) {
  int first = 0;
  for (const Tensor& input : inputs) {
    const View<const float> x = input.view<const float>();
    const View<float> slice = channels_of(y, first, x.shape.c);
    first += x.shape.c;
    if (same_pixels(x, slice)) continue;
    for (int n = 0; n < y.shape.n; ++n)
      for (int h = 0; h < y.shape.h; ++h)
        for (int w = 0; w < y.shape.w; ++w)
          for (int c = 0; c < x.shape.c; ++c) slice(n, h, w, c) = x(n, h, w, c);
  }
}

void place_channels_reference(const op::PlaceChannels& op, View<const float> x, View<float> y) {
  for (int n = 0; n < y.shape.n; ++n)
    for (int h = 0; h < y.shape.h; ++h)
      for (int w = 0; w < y.shape.w; ++w)
        for (int c = 0; c < y.shape.c; ++c) {
          const int from = c - op.first;
          y(n, h, w, c) = from >= 0 && from < x.shape.c ? x(n, h, w, from) : 0;
        }
}

}  // namespace mend
