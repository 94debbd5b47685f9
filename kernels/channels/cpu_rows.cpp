// Memory traffic is all there is: rows of pixels on all threads, each pixel's channels in one copy.
#include "kernels/channels/variants.h"
#include "kernels/narrow_type.h"
#include "kernels/rows.h"

namespace mend {

namespace {

/// What `x` gets as its channels of y, unless they are it.
template <class T>
void place_input(View<const T> x, View<T> slice) {
  if (same_pixels(x, slice)) return;
  for_each_run(x.shape, [&](const Run& run) {
    copy_run(x.pixel(run.n, run.h, run.w), x.w_stride, slice.pixel(run.n, run.h, run.w),
             slice.w_stride, run.count, x.shape.c);
  });
}

}  // namespace

void concat_rows(Inputs inputs, View<float> y) {
  int first = 0;
  for (const Tensor& input : inputs) {
    const View<const float> x = input.view<const float>();
    place_input(x, channels_of(y, first, x.shape.c));
    first += x.shape.c;
  }
}

void concat_rows_narrow(const op::Concat&, Inputs inputs, const Tensor& y) {
  int first = 0;
  for (const Tensor& input : inputs) {
    const int count = input.shape().c;
    place_input<Half>(as_16_bits(input), as_16_bits(y.channels(first, count)));
    first += count;
  }
}

}  // namespace mend
