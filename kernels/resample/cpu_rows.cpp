// Memory traffic is all there is: the table of columns is made once, so a pixel is one copy.
#include "engine/parallel.h"
#include "kernels/resample/taps.h"
#include "kernels/resample/variants.h"
#include "kernels/rows.h"

namespace mend {
namespace {

template <class T>
void pick_pixels(const op::Resample& resample, View<const T> x, View<T> y, Scratch scratch) {
  const TapTable rows = make_tap_table(rows_of(resample, x.shape), scratch);
  const TapTable columns = make_tap_table(columns_of(resample, x.shape), scratch);
  const Shape& s = y.shape;
  parallel_for(std::int64_t{s.n} * s.h, [&](std::int64_t task, int) {
    const int n = static_cast<int>(task / s.h), p = static_cast<int>(task % s.h);
    const T* from = x.pixel(n, rows.first[p], 0);
    T* to = y.pixel(n, p, 0);
    for (int q = 0; q < s.w; ++q, to += y.w_stride) {
      copy_run(from + columns.first[q] * x.w_stride, x.w_stride, to, y.w_stride, 1, s.c);
    }
  });
}

}  // namespace

void resample_rows(const op::Resample& resample, View<const float> x, View<float> y,
                   Scratch scratch) {
  pick_pixels(resample, x, y, scratch);
}

void resample_rows_16_bits(const op::Resample& resample, View<const Half> x, View<Half> y,
                           Scratch scratch) {
  pick_pixels(resample, x, y, scratch);
}

}  // namespace mend
