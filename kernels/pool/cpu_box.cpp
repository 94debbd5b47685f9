// A mean over a window of any size costs the same: the window slides. Each column keeps the sum of
// its rows (one row enters, one leaves), and along an output row the window slides over these sums.
// Sums are double: a million steps of adding and taking away lose 1e-10, where float lost 1e-2.
// Bands of output rows start afresh, so that threads can share the work and the result does not
// depend on how many there are.
#include <algorithm>

#include "engine/parallel.h"
#include "kernels/pool/variants.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pool/cpu_box.cpp"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// sums[i] += x[i], or -= with a sign of -1
void accumulate(const float* x, double sign, double* sums, int count) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> narrow;
  const int lanes = static_cast<int>(hn::Lanes(d));
  int i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto value = hn::PromoteTo(d, hn::LoadU(narrow, x + i));
    hn::StoreU(hn::MulAdd(value, hn::Set(d, sign), hn::LoadU(d, sums + i)), d, sums + i);
  }
  for (; i < count; ++i) sums[i] += sign * static_cast<double>(x[i]);
}

/// total[c] += entering[c] - leaving[c]
void slide(const double* entering, const double* leaving, double* total, int channels) {
  const hn::ScalableTag<double> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  int c = 0;
  for (; c + lanes <= channels; c += lanes) {
    const auto change = hn::Sub(hn::LoadU(d, entering + c), hn::LoadU(d, leaving + c));
    hn::StoreU(hn::Add(hn::LoadU(d, total + c), change), d, total + c);
  }
  for (; c < channels; ++c) total[c] += entering[c] - leaving[c];
}

/// y[c] = share · total[c]
void store_share(const double* total, double share, float* y, int channels) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> narrow;
  const int lanes = static_cast<int>(hn::Lanes(d));
  int c = 0;
  for (; c + lanes <= channels; c += lanes) {
    const auto value = hn::Mul(hn::LoadU(d, total + c), hn::Set(d, share));
    hn::StoreU(hn::DemoteTo(narrow, value), narrow, y + c);
  }
  for (; c < channels; ++c) y[c] = static_cast<float>(share * total[c]);
}

/// Adds row h of image n to the sums of the columns, or takes it away.
void add_row_to_columns(View<const float> x, int n, int h, double sign, double* columns) {
  const int W = x.shape.w, C = x.shape.c;
  if (x.w_stride == C) return accumulate(x.pixel(n, h, 0), sign, columns, W * C);
  for (int w = 0; w < W; ++w) {
    accumulate(x.pixel(n, h, w), sign, columns + std::int64_t{w} * C, C);
  }
}

/// One output row from the sums of the columns; `total` is C numbers of working memory.
void mean_row(const double* columns, int kernel_w, double share, View<float> y, int n, int p,
              double* total) {
  const int W = y.shape.w, C = y.shape.c;
  const auto column = [&](int w) { return columns + std::int64_t{w} * C; };
  Window window = box_window(kernel_w, 0, W);
  std::fill_n(total, C, 0.0);
  for (int w = window.first; w < window.last; ++w) {
    for (int c = 0; c < C; ++c) total[c] += column(w)[c];
  }
  for (int q = 0; q < W; ++q) {
    const Window next = box_window(kernel_w, q, W);
    if (next.first > window.first) slide(column(window.last), column(window.first), total, C);
    window = next;
    store_share(total, share, y.pixel(n, p, q), C);
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {

HWY_EXPORT(add_row_to_columns);
HWY_EXPORT(mean_row);

namespace {

/// Doubles that one task works with: a sum for each column and channel, and a total for each channel.
std::int64_t sums_of_task(const Shape& x) { return (std::int64_t{x.w} + 1) * x.c; }

// A band reads a whole window before its first row, so bands of a window's height read x twice.
constexpr int kSmallestBand = 16;

}  // namespace

std::int64_t box_mean_sliding_scratch(const Shape& x) {
  return threads() * sums_of_task(x) * static_cast<std::int64_t>(sizeof(double));
}

void box_mean_sliding(const op::BoxMean& box, View<const float> x, View<float> y, Scratch scratch) {
  const int H = x.shape.h;
  const int band = std::max(std::min(box.kernel_h, H), kSmallestBand);
  const int bands = (H + band - 1) / band;
  const Window first_rows = box_window(box.kernel_h, 0, H);
  const Window first_columns = box_window(box.kernel_w, 0, x.shape.w);
  const double share = 1.0 / (static_cast<double>(first_rows.last) * first_columns.last);
  parallel_for(std::int64_t{x.shape.n} * bands, [&](std::int64_t task, int thread) {
    const int n = static_cast<int>(task / bands), begin = static_cast<int>(task % bands) * band;
    double* columns = reinterpret_cast<double*>(scratch.data()) + thread * sums_of_task(x.shape);
    double* total = columns + std::int64_t{x.shape.w} * x.shape.c;
    std::fill_n(columns, std::int64_t{x.shape.w} * x.shape.c, 0.0);
    Window rows = box_window(box.kernel_h, begin, H);
    for (int h = rows.first; h < rows.last; ++h) {
      HWY_DYNAMIC_DISPATCH(add_row_to_columns)(x, n, h, 1.0, columns);
    }
    for (int p = begin; p < std::min(begin + band, H); ++p) {
      const Window next = box_window(box.kernel_h, p, H);
      if (next.first > rows.first) {
        HWY_DYNAMIC_DISPATCH(add_row_to_columns)(x, n, rows.last, 1.0, columns);
        HWY_DYNAMIC_DISPATCH(add_row_to_columns)(x, n, rows.first, -1.0, columns);
      }
      rows = next;
      HWY_DYNAMIC_DISPATCH(mean_row)(columns, box.kernel_w, share, y, n, p, total);
    }
  });
}

}  // namespace mend
#endif
