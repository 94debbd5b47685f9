// Batch norm reads memory once to measure and once to normalize, and must keep up with it.
//
// Lanes are channels. A stripe of the batch is summed block by block, each small enough for L1, and
// within it four vectors of channels at a time: their eight sums stay in registers and cover the
// latency of the additions. Sums are in double and of distances d from the first pixel of the batch,
// so one pass will do: Σd² − (Σd)²/M loses as many bits of 53 as the square of the mean distance is
// larger than the variance, and a number of the channel itself is never far from its mean.
#include <algorithm>
#include <cmath>

#include "engine/parallel.h"
#include "kernels/normalization/batch_norm.h"
#include "kernels/normalization/variants.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/normalization/cpu_batch_norm.cpp"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// kVectors vectors of channels of a block: adds the distances from `origin` and their squares.
template <int kVectors, class D>
HWY_INLINE void add_channels(D d, const float* x, std::int64_t stride, int pixels,
                             const float* origin, double* sums, double* squares) {
  const hn::Rebind<float, D> narrow;
  const int lanes = static_cast<int>(hn::Lanes(d));
  hn::Vec<D> from[kVectors], sum[kVectors], square[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    from[v] = hn::PromoteTo(d, hn::LoadU(narrow, origin + v * lanes));
    sum[v] = hn::LoadU(d, sums + v * lanes);
    square[v] = hn::LoadU(d, squares + v * lanes);
  }
  for (int pixel = 0; pixel < pixels; ++pixel, x += stride) {
    for (int v = 0; v < kVectors; ++v) {
      const auto distance = hn::Sub(hn::PromoteTo(d, hn::LoadU(narrow, x + v * lanes)), from[v]);
      sum[v] = hn::Add(sum[v], distance);
      square[v] = hn::MulAdd(distance, distance, square[v]);
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    hn::StoreU(sum[v], d, sums + v * lanes);
    hn::StoreU(square[v], d, squares + v * lanes);
  }
}

/// The same for all C channels.
void add_block(const float* x, std::int64_t stride, int pixels, int C, const float* origin,
               double* sums, double* squares) {
  constexpr int kVectors = 4;
  const hn::ScalableTag<double> d;
  const hn::CappedTag<double, 1> one;
  const int lanes = static_cast<int>(hn::Lanes(d));
  int c = 0;
  for (; c + kVectors * lanes <= C; c += kVectors * lanes) {
    add_channels<kVectors>(d, x + c, stride, pixels, origin + c, sums + c, squares + c);
  }
  for (; c + lanes <= C; c += lanes) {
    add_channels<1>(d, x + c, stride, pixels, origin + c, sums + c, squares + c);
  }
  for (; c < C; ++c) {
    add_channels<1>(one, x + c, stride, pixels, origin + c, sums + c, squares + c);
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {

HWY_EXPORT(add_block);

namespace {

/// Enough for any number of threads to find work, few enough that their sums fit L2.
constexpr int kStripes = 64;
/// Numbers of a block: 32 kB, so that all channels but the first find it in L1.
constexpr int kBlockFloats = 8192;

/// How a batch is cut: rows of pixels into blocks, blocks into stripes.
struct Stripes {
  explicit Stripes(const Shape& x)
      : block(std::clamp(kBlockFloats / x.c, 1, x.w)),
        blocks_per_row((x.w + block - 1) / block),
        blocks(std::int64_t{x.n} * x.h * blocks_per_row),
        count(static_cast<int>(std::min<std::int64_t>(kStripes, blocks))) {}

  std::int64_t first_block(int stripe) const { return blocks * stripe / count; }

  int block;  ///< pixels of a block, but for the last of a row
  int blocks_per_row;
  std::int64_t blocks;
  int count;
};

}  // namespace

std::int64_t batch_statistics_simd_scratch(const Shape& x) {
  return std::int64_t{Stripes(x).count} * 2 * x.c * static_cast<std::int64_t>(sizeof(double));
}

void batch_statistics_simd(View<const float> x, View<float> y, Scratch scratch) {
  const int H = x.shape.h, W = x.shape.w, C = x.shape.c;
  const Stripes cut(x.shape);
  double* const stripes = reinterpret_cast<double*>(scratch.data());  // [count][2][C]
  parallel_for(cut.count, [&](std::int64_t stripe, int) {
    const int s = static_cast<int>(stripe);
    double *sums = stripes + stripe * 2 * C, *squares = sums + C;
    std::fill_n(sums, 2 * C, 0.0);
    for (std::int64_t b = cut.first_block(s); b < cut.first_block(s + 1); ++b) {
      const std::int64_t row = b / cut.blocks_per_row;
      const int w = static_cast<int>(b % cut.blocks_per_row) * cut.block;
      HWY_DYNAMIC_DISPATCH(add_block)
      (x.pixel(static_cast<int>(row / H), static_cast<int>(row % H), w), x.w_stride,
       std::min(cut.block, W - w), C, x.data, sums, squares);
    }
  });
  const double count = static_cast<double>(x.shape.pixels());
  for (int c = 0; c < C; ++c) {
    double sum = 0, squares = 0;
    for (int s = 0; s < cut.count; ++s) {
      sum += stripes[std::int64_t{s} * 2 * C + c];
      squares += stripes[std::int64_t{s} * 2 * C + C + c];
    }
    const double variance = (squares - sum * sum / count) / count;
    y(0, 0, 0, c) = static_cast<float>(x.data[c] + sum / count);
    y(0, 0, 1, c) = static_cast<float>(variance < 0 ? 0 : variance);  // rounding; NaN stays
  }
}

std::int64_t batch_norm_simd_scratch(const Shape& x) {
  return 2 * std::int64_t{x.c} * static_cast<std::int64_t>(sizeof(float));
}

void batch_norm_simd(float eps, View<const float> x, View<const float> statistics,
                     View<const float> gamma, View<const float> beta, View<float> y,
                     Scratch scratch) {
  const int C = x.shape.c;
  const float *mean = statistics.pixel(0, 0, 0), *variance = statistics.pixel(0, 0, 1);
  float *factor = reinterpret_cast<float*>(scratch.data()), *offset = factor + C;
  for (int c = 0; c < C; ++c) {
    const double scale = gamma ? gamma.data[c] : 1;
    factor[c] = static_cast<float>(scale / std::sqrt(double{variance[c]} + eps));
    offset[c] = beta ? beta.data[c] : 0;
  }
  map_channels_simd(x, {mean, factor, offset}, y);
}

}  // namespace mend
#endif
