// Memory traffic is all there is: each row's middle is one copy, only its margins go pixel by pixel.
#include "engine/parallel.h"
#include "kernels/pad/variants.h"
#include "kernels/rows.h"

namespace mend {
namespace {

/// Columns [first, last) of one row of y, outside the image, from the row of x at `row`.
void pad_columns(const op::Pad& pad, const float* row, View<const float> x, float* to,
                 View<float> y, int first, int last) {
  for (int q = first; q < last; ++q) {
    const int w = padding_source(pad.mode, q - pad.left, x.shape.w);
    float* pixel = to + q * y.w_stride;
    if (w < 0) {
      fill_run(pad.value, pixel, y.w_stride, 1, y.shape.c);
    } else {
      copy_run(row + w * x.w_stride, x.w_stride, pixel, y.w_stride, 1, y.shape.c);
    }
  }
}

}  // namespace

void pad_rows(const op::Pad& pad, View<const float> x, View<float> y) {
  parallel_for(std::int64_t{y.shape.n} * y.shape.h, [&](std::int64_t task, int) {
    const int n = static_cast<int>(task / y.shape.h), p = static_cast<int>(task % y.shape.h);
    const int h = padding_source(pad.mode, p - pad.top, x.shape.h);
    float* to = y.pixel(n, p, 0);
    if (h < 0) {
      fill_run(pad.value, to, y.w_stride, y.shape.w, y.shape.c);
      return;
    }
    const float* row = x.pixel(n, h, 0);
    pad_columns(pad, row, x, to, y, 0, pad.left);
    copy_run(row, x.w_stride, to + pad.left * y.w_stride, y.w_stride, x.shape.w, y.shape.c);
    pad_columns(pad, row, x, to, y, pad.left + x.shape.w, y.shape.w);
  });
}

}  // namespace mend
