// Windows overlap in cache, so each number of x comes from memory once; channels are the lanes.
// A mean over a large window is summed in two steps, so that float sums stay short and yet the inner
// loop does not convert: blocks of kBlock pixels in float, blocks and rows in double.
#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/parallel.h"
#include "kernels/pool/variants.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pool/cpu_simd.cpp"
#include "kernels/narrow_lanes-inl.h"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// 64 additions of one sign lose at most 64 · 2^-24 = 4e-6, on average a tenth of that.
constexpr int kBlock = 64;

/// The larger, or NaN if there is one: a comparison with NaN is false, which keeps that of `most`.
template <class V>
HWY_INLINE V larger(V value, V most) {
  return hn::IfThenElse(hn::Or(hn::Gt(value, most), hn::IsNaN(value)), value, most);
}

/// y[i] = the sum or maximum of x over the window's rows and columns, at channel i of `lanes`.
template <PoolKind kKind, class D, class T>
HWY_INLINE hn::Vec<D> gather(D d, const T* x, std::int64_t h_stride, int rows,
                             std::int64_t w_stride, int columns) {
  auto result =
      hn::Set(d, kKind == PoolKind::kMax ? -std::numeric_limits<float>::infinity() : 0.0f);
  for (int h = 0; h < rows; ++h) {
    for (int w = 0; w < columns; ++w) {
      const auto value = load_f32(d, x + h * h_stride + w * w_stride);
      result = kKind == PoolKind::kMax ? larger(value, result) : hn::Add(result, value);
    }
  }
  return result;
}

template <PoolKind kKind, class T>
HWY_INLINE void pool_pixel(const T* x, std::int64_t h_stride, int rows, std::int64_t w_stride,
                           int columns, float factor, float* y, int channels) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const int lanes = static_cast<int>(hn::Lanes(d));
  int c = 0;
  for (; c + lanes <= channels; c += lanes) {
    const auto result = gather<kKind>(d, x + c, h_stride, rows, w_stride, columns);
    hn::StoreU(hn::Mul(result, hn::Set(d, factor)), d, y + c);
  }
  for (; c < channels; ++c) {
    const auto result = gather<kKind>(one, x + c, h_stride, rows, w_stride, columns);
    hn::StoreU(hn::Mul(result, hn::Set(one, factor)), one, y + c);
  }
}

/// Row p of image n of y.
void pool_row(const op::Pool& pool, View<const float> x, View<float> y, int n, int p) {
  const Window rows = pool_window(pool, p, x.shape.h);
  for (int q = 0; q < y.shape.w; ++q) {
    const Window columns = pool_window(pool, q, x.shape.w);
    const float* corner = x.pixel(n, rows.first, columns.first);
    const int height = rows.last - rows.first, width = columns.last - columns.first;
    if (pool.kind == PoolKind::kMax) {
      pool_pixel<PoolKind::kMax>(corner, x.h_stride, height, x.w_stride, width, 1.0f,
                                 y.pixel(n, p, q), y.shape.c);
    } else {
      const float share =
          1.0f / (static_cast<float>(pool.kernel) * static_cast<float>(pool.kernel));
      pool_pixel<PoolKind::kAverage>(corner, x.h_stride, height, x.w_stride, width, share,
                                     y.pixel(n, p, q), y.shape.c);
    }
  }
}

/// Adds the sums (or takes the maxima) over `columns` pixels to total[c].
template <class T>
HWY_INLINE void gather_row(PoolKind kind, const T* x, std::int64_t w_stride, int columns,
                           double* total, float* block, int channels) {
  for (int w = 0; w < columns; w += kBlock) {
    const int width = std::min(kBlock, columns - w);
    if (kind == PoolKind::kMax) {
      pool_pixel<PoolKind::kMax>(x + w * w_stride, 0, 1, w_stride, width, 1.0f, block, channels);
      for (int c = 0; c < channels; ++c) {
        if (std::isnan(block[c]) || block[c] > total[c]) total[c] = block[c];
      }
    } else {
      pool_pixel<PoolKind::kAverage>(x + w * w_stride, 0, 1, w_stride, width, 1.0f, block,
                                     channels);
      for (int c = 0; c < channels; ++c) total[c] += static_cast<double>(block[c]);
    }
  }
}

void gather_f32(PoolKind kind, const float* x, std::int64_t w_stride, int columns, double* total,
                float* block, int channels) {
  gather_row(kind, x, w_stride, columns, total, block, channels);
}
void gather_f16(PoolKind kind, const Half* x, std::int64_t w_stride, int columns, double* total,
                float* block, int channels) {
  gather_row(kind, x, w_stride, columns, total, block, channels);
}
void gather_bf16(PoolKind kind, const BFloat16* x, std::int64_t w_stride, int columns,
                 double* total, float* block, int channels) {
  gather_row(kind, x, w_stride, columns, total, block, channels);
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {

HWY_EXPORT(pool_row);
HWY_EXPORT(gather_f32);
HWY_EXPORT(gather_f16);
HWY_EXPORT(gather_bf16);

namespace {

/// Accumulators of one task: a double and a float for each channel.
struct Sums {
  double* total;
  float* block;
};

std::int64_t sums_bytes(int channels) {
  return (channels * std::int64_t{sizeof(double) + sizeof(float)} + 63) / 64 * 64;
}

Sums sums_of(Scratch scratch, std::int64_t task, int channels) {
  std::byte* memory = scratch.data() + task * sums_bytes(channels);
  double* total = reinterpret_cast<double*>(memory);
  return {total, reinterpret_cast<float*>(total + channels)};
}

double nothing(PoolKind kind) {
  return kind == PoolKind::kMax ? -std::numeric_limits<double>::infinity() : 0.0;
}

void add_row(PoolKind kind, const double* row, double* total, int channels) {
  for (int c = 0; c < channels; ++c) {
    if (kind == PoolKind::kAverage) {
      total[c] += row[c];
    } else if (std::isnan(row[c]) || row[c] > total[c]) {
      total[c] = row[c];
    }
  }
}

void store(PoolKind kind, const double* total, std::int64_t count, float* y, int channels) {
  const double share = kind == PoolKind::kMax ? 1.0 : 1.0 / static_cast<double>(count);
  for (int c = 0; c < channels; ++c) y[c] = static_cast<float>(total[c] * share);
}

/// 1 x 1 windows: all rows of all images at once, each into sums of its own; then the rows in order.
template <class T, class Gather>
void global_pool(PoolKind kind, View<const T> x, View<float> y, Scratch scratch,
                 const Gather& gather) {
  const int H = x.shape.h, C = x.shape.c;
  parallel_for(std::int64_t{x.shape.n} * H, [&](std::int64_t task, int) {
    const int n = static_cast<int>(task / H), h = static_cast<int>(task % H);
    const Sums sums = sums_of(scratch, task, C);
    std::fill_n(sums.total, C, nothing(kind));
    gather(kind, x.pixel(n, h, 0), x.w_stride, x.shape.w, sums.total, sums.block, C);
  });
  for (int n = 0; n < x.shape.n; ++n) {
    double* total = sums_of(scratch, std::int64_t{n} * H, C).total;
    for (int h = 1; h < H; ++h) {
      add_row(kind, sums_of(scratch, std::int64_t{n} * H + h, C).total, total, C);
    }
    store(kind, total, std::int64_t{H} * x.shape.w, y.pixel(n, 0, 0), C);
  }
}

bool is_global(const Shape& y) { return y.h == 1 && y.w == 1; }

template <class T, class Gather>
void adaptive_pool(const op::AdaptivePool& pool, View<const T> x, View<float> y, Scratch scratch,
                   const Gather& gather) {
  if (is_global(y.shape)) return global_pool(pool.kind, x, y, scratch, gather);
  const int P = y.shape.h, Q = y.shape.w, C = y.shape.c;
  parallel_for(std::int64_t{y.shape.n} * P * Q, [&](std::int64_t task, int thread) {
    const int n = static_cast<int>(task / P / Q);
    const int p = static_cast<int>(task / Q % P), q = static_cast<int>(task % Q);
    const Window rows = adaptive_window(p, P, x.shape.h);
    const Window columns = adaptive_window(q, Q, x.shape.w);
    const int width = columns.last - columns.first;
    const Sums sums = sums_of(scratch, thread, C);
    std::fill_n(sums.total, C, nothing(pool.kind));
    for (int h = rows.first; h < rows.last; ++h) {
      gather(pool.kind, x.pixel(n, h, columns.first), x.w_stride, width, sums.total, sums.block, C);
    }
    store(pool.kind, sums.total, std::int64_t{rows.last - rows.first} * width, y.pixel(n, p, q), C);
  });
}

}  // namespace

std::int64_t adaptive_pool_simd_scratch(const Shape& x, const Shape& y) {
  const std::int64_t tasks = is_global(y) ? std::int64_t{x.n} * x.h : threads();
  return tasks * sums_bytes(x.c);
}

void pool_simd(const op::Pool& pool, View<const float> x, View<float> y) {
  parallel_for(std::int64_t{y.shape.n} * y.shape.h, [&](std::int64_t row, int) {
    HWY_DYNAMIC_DISPATCH(pool_row)
    (pool, x, y, static_cast<int>(row / y.shape.h), static_cast<int>(row % y.shape.h));
  });
}

void adaptive_pool_simd(const op::AdaptivePool& pool, View<const float> x, View<float> y,
                        Scratch scratch) {
  adaptive_pool(pool, x, y, scratch, HWY_DYNAMIC_DISPATCH(gather_f32));
}
void adaptive_pool_simd_f16(const op::AdaptivePool& pool, View<const Half> x, View<float> y,
                            Scratch scratch) {
  adaptive_pool(pool, x, y, scratch, HWY_DYNAMIC_DISPATCH(gather_f16));
}
void adaptive_pool_simd_bf16(const op::AdaptivePool& pool, View<const BFloat16> x, View<float> y,
                             Scratch scratch) {
  adaptive_pool(pool, x, y, scratch, HWY_DYNAMIC_DISPATCH(gather_bf16));
}

}  // namespace mend
#endif
