// Two steps for a block of outputs: what they see is sampled into columns, one row of R·S·C/groups
// numbers an output and group, a vector of channels at a time; then each row meets each row of the
// weights in a dot product. Both rows are as they lie in memory, so nothing is repacked.
//
// One register tile of the product is 4 outputs x 4 rows of weights: 16 sums, 8 loads for 16
// multiply-adds. A block of 32 outputs reads the weights from L2 once, and its columns (74 kB for
// 64 channels and 3x3 taps) stay there too.
#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/parallel.h"
#include "kernels/deform_conv2d/rungs.h"
#include "kernels/rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/deform_conv2d/cpu_columns.cpp"
#include "kernels/partial-inl.h"
#include "kernels/weighted_pixels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

void sample_channels(const WeightedPixels& pixels, int first, int count, float* y) {
  sum_pixels(pixels, first, count, y);
}

constexpr int kTile = 4;

/// sum[i][j] = rows[i] · weights[j], each of `length` numbers.
void multiply_tile(const float* const* rows, const float* const* weights, std::int64_t length,
                   float (*sums)[kTile]) {
  const hn::ScalableTag<float> d;
  using Vector = hn::Vec<decltype(d)>;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  Vector sum[kTile][kTile];
  for (auto& row : sum)
    for (Vector& element : row) element = hn::Zero(d);
  std::int64_t at = 0;
  for (; at + lanes <= length; at += lanes) {
    Vector weight[kTile];
    for (int j = 0; j < kTile; ++j) weight[j] = hn::LoadU(d, weights[j] + at);
    for (int i = 0; i < kTile; ++i) {
      const Vector row = hn::LoadU(d, rows[i] + at);
      for (int j = 0; j < kTile; ++j) sum[i][j] = hn::MulAdd(row, weight[j], sum[i][j]);
    }
  }
  if (at < length) {
    for (int i = 0; i < kTile; ++i) {
      const Vector row = load_partial(d, rows[i] + at, length - at);
      for (int j = 0; j < kTile; ++j) {
        sum[i][j] = hn::MulAdd(row, load_partial(d, weights[j] + at, length - at), sum[i][j]);
      }
    }
  }
  for (int i = 0; i < kTile; ++i)
    for (int j = 0; j < kTile; ++j) sums[i][j] = hn::GetLane(hn::SumOfLanes(d, sum[i][j]));
}

/// y[i][k] = bias[k] + rows[i] · weights[k] for `count` rows and `outputs` rows of weights, each of
/// `length` numbers, one behind the other. bias may be null.
void multiply_rows(const float* rows, int count, const float* weights, int outputs,
                   std::int64_t length, const float* bias, float* y, std::int64_t y_stride) {
  float sums[kTile][kTile];
  const float* row[kTile];
  const float* weight[kTile];
  for (int k = 0; k < outputs; k += kTile) {
    // Beyond the last row the last is used again; its sums are not stored.
    for (int j = 0; j < kTile; ++j) weight[j] = weights + std::min(k + j, outputs - 1) * length;
    for (int i = 0; i < count; i += kTile) {
      for (int j = 0; j < kTile; ++j) row[j] = rows + std::min(i + j, count - 1) * length;
      multiply_tile(row, weight, length, sums);
      for (int a = 0; a < std::min(kTile, count - i); ++a)
        for (int b = 0; b < std::min(kTile, outputs - k); ++b) {
          y[(i + a) * y_stride + k + b] = sums[a][b] + (bias != nullptr ? bias[k + b] : 0.0f);
        }
    }
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(sample_channels);
HWY_EXPORT(multiply_rows);

namespace {

constexpr int kBlock = 32;  // outputs

/// Numbers of a row of columns or weights.
std::int64_t row_length(const op::DeformConv2d& op, int channels) {
  return std::int64_t{op.kernel_h} * op.kernel_w * (channels / op.groups);
}

/// The pixels around (h, w) that lie in image n.
WeightedPixels pixels_around(View<const float> x, int n, double h, double w, double gate) {
  WeightedPixels pixels;
  if (h <= -1 || h >= x.shape.h || w <= -1 || w >= x.shape.w) return pixels;
  const int top = static_cast<int>(std::floor(h)), left = static_cast<int>(std::floor(w));
  for (int row = std::max(top, 0); row <= std::min(top + 1, x.shape.h - 1); ++row)
    for (int column = std::max(left, 0); column <= std::min(left + 1, x.shape.w - 1); ++column) {
      pixels.add(x.pixel(n, row, column), (1 - std::abs(h - row)) * (1 - std::abs(w - column)));
    }
  for (int i = 0; i < pixels.count; ++i) {
    pixels.weight[i] = static_cast<float>(pixels.weight[i] * gate);
  }
  return pixels;
}

/// Output number i of a block at (n, p, q): what its tap (r, s) sees of offset group g, to columns
/// [group][kBlock][R·S·C/groups].
void sample_tap(const DeformConv2dCall& call, int n, int p, int q, int i, int g, int r, int s,
                float* columns) {
  const auto& [op, x, offset, mask, weight, bias, y, scratch] = call;
  const int C = x.shape.c / op.groups, channels = x.shape.c / op.offset_groups;
  const int t = (g * op.kernel_h + r) * op.kernel_w + s;
  const double h = double(p * op.stride + r * op.dilation - op.padding_h) + offset(n, p, q, 2 * t);
  const double w =
      double(q * op.stride + s * op.dilation - op.padding_w) + offset(n, p, q, 2 * t + 1);
  const bool finite = std::isfinite(h) && std::isfinite(w);
  const WeightedPixels pixels =
      finite ? pixels_around(x, n, h, w, mask ? mask(n, p, q, t) : 1.0f) : WeightedPixels{};
  const std::int64_t length = row_length(op, x.shape.c);
  const int end = (g + 1) * channels;
  for (int c = g * channels, count; c < end; c += count) {
    const int group = c / C;
    count = std::min(end, (group + 1) * C) - c;  // the channels of both groups
    float* to = columns + (std::int64_t{group} * kBlock + i) * length +
                std::int64_t{r * op.kernel_w + s} * C + (c - group * C);
    if (finite) {
      HWY_DYNAMIC_DISPATCH(sample_channels)(pixels, c, count, to);
    } else {
      std::fill_n(to, count, std::numeric_limits<float>::quiet_NaN());
    }
  }
}

/// The weights as one row after the other: where they are, or else copied to `copy`.
const float* dense_weights(View<const float> weight, float* copy) {
  if (weight.dense()) return weight.data;
  const Shape& shape = weight.shape;
  float* to = copy;
  for (int k = 0; k < shape.n; ++k)
    for (int r = 0; r < shape.h; ++r, to += std::int64_t{shape.w} * shape.c) {
      copy_run(weight.pixel(k, r, 0), weight.w_stride, to, shape.c, shape.w, shape.c);
    }
  return copy;
}

/// Floats of the columns of one block.
std::int64_t column_floats(const op::DeformConv2d& op, int channels) {
  return kBlock * op.groups * row_length(op, channels);
}

}  // namespace

std::int64_t deform_conv2d_columns_scratch(const op::DeformConv2d& op, const Shapes& in) {
  const std::int64_t columns = column_floats(op, in[op::DeformConv2d::kX].c) * threads();
  return std::int64_t{sizeof(float)} * (columns + in[op::DeformConv2d::kWeight].elements());
}

void deform_conv2d_columns(const DeformConv2dCall& call) {
  const auto& [op, x, offset, mask, weight, bias, y, scratch] = call;
  const int K = y.shape.c / op.groups;
  const std::int64_t length = row_length(op, x.shape.c);
  const std::int64_t floats = column_floats(op, x.shape.c);
  float* work = reinterpret_cast<float*>(scratch.data());
  const float* weights = dense_weights(weight, work + floats * threads());
  const int blocks = (y.shape.w + kBlock - 1) / kBlock;
  parallel_for(std::int64_t{y.shape.n} * y.shape.h * blocks, [&](std::int64_t task, int thread) {
    const std::int64_t row = task / blocks;
    const int n = static_cast<int>(row / call.y.shape.h),
              p = static_cast<int>(row % call.y.shape.h);
    const int q = static_cast<int>(task % blocks) * kBlock;
    const int count = std::min(kBlock, call.y.shape.w - q);
    float* columns = work + floats * thread;
    for (int i = 0; i < count; ++i)
      for (int g = 0; g < call.op.offset_groups; ++g)
        for (int r = 0; r < call.op.kernel_h; ++r)
          for (int s = 0; s < call.op.kernel_w; ++s) {
            sample_tap(call, n, p, q + i, i, g, r, s, columns);
          }
    for (int group = 0; group < call.op.groups; ++group) {
      const int k = group * K;
      HWY_DYNAMIC_DISPATCH(multiply_rows)
      (columns + group * kBlock * length, count, weights + k * length, K, length,
       call.bias ? call.bias.data + k : nullptr, call.y.pixel(n, p, q) + k, call.y.w_stride);
    }
  });
}

}  // namespace mend
#endif
