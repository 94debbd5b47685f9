// The reference needs rows x columns products for each number; separated into rows, then columns,
// it is rows + columns. The rows pass runs along whole rows of x, all lanes busy even with 3
// channels; its result, one row for each thread, stays in L1 or L2 for the columns pass.
#include "engine/parallel.h"
#include "kernels/resample/taps.h"
#include "kernels/resample/variants.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/resample/cpu_simd.cpp"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE void weighted_vector(D d, const float* x, std::int64_t stride, const float* weights,
                                int taps, float* y) {
  auto sum = hn::Mul(hn::Set(d, weights[0]), hn::LoadU(d, x));
  for (int t = 1; t < taps; ++t) {
    sum = hn::MulAdd(hn::Set(d, weights[t]), hn::LoadU(d, x + t * stride), sum);
  }
  hn::StoreU(sum, d, y);
}

/// y[i] = Σ_t weights[t] · x[t·stride + i], i in [0, count). The last few are computed one by one,
/// with the same fused multiply-add: a number does not depend on where in a row it stands.
HWY_INLINE void weighted_sum(const float* x, std::int64_t stride, const float* weights, int taps,
                             float* y, std::int64_t count) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    weighted_vector(d, x + i, stride, weights, taps, y + i);
  }
  for (; i < count; ++i) weighted_vector(one, x + i, stride, weights, taps, y + i);
}

/// Row p of image n of y: the rows of x into `row` (dense), then its columns.
void resample_row(View<const float> x, TapTable rows, TapTable columns, int n, int p, float* row,
                  View<float> y) {
  const std::int64_t C = x.shape.c;
  const float* top = x.pixel(n, rows.first[p], 0);
  const float* weights = rows.weights + std::int64_t{p} * rows.stride;
  if (x.w_stride == C) {
    weighted_sum(top, x.h_stride, weights, rows.count[p], row, C * x.shape.w);
  } else {
    for (int w = 0; w < x.shape.w; ++w) {
      weighted_sum(top + w * x.w_stride, x.h_stride, weights, rows.count[p], row + w * C, C);
    }
  }
  for (int q = 0; q < y.shape.w; ++q) {
    weighted_sum(row + columns.first[q] * C, C, columns.weights + std::int64_t{q} * columns.stride,
                 columns.count[q], y.pixel(n, p, q), C);
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {

HWY_EXPORT(resample_row);

void resample_simd(const op::Resample& resample, View<const float> x, View<float> y,
                   Scratch scratch) {
  const TapTable rows = make_tap_table(rows_of(resample, x.shape), scratch);
  const TapTable columns = make_tap_table(columns_of(resample, x.shape), scratch);
  float* row_of_thread = reinterpret_cast<float*>(scratch.data());
  const std::int64_t row_floats = std::int64_t{x.shape.w} * x.shape.c;
  parallel_for(std::int64_t{y.shape.n} * y.shape.h, [&](std::int64_t task, int thread) {
    const int n = static_cast<int>(task / y.shape.h), p = static_cast<int>(task % y.shape.h);
    HWY_DYNAMIC_DISPATCH(resample_row)
    (x, rows, columns, n, p, row_of_thread + thread * row_floats, y);
  });
}

}  // namespace mend
#endif
