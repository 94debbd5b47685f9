// The weight's gradient as small matrix products: for each tap (r,s) the K x C matrix Σ dyᵀ·x over the
// pixels of one row at a time.
//
// What limits it: FMAs, if their operands come from registers. The tile of kernels/matmul/tile-inl.h
// keeps 6 outputs x 2 vectors of input channels (AVX2; 6 x 4 with 32 registers) while the sum runs
// along the row: two loads of x and six broadcasts of dy make twelve FMAs. A row of x is copied into a
// strip once for all its taps, with its margin of zeros and its channels padded to whole vectors: 13 kB
// for 48 pixels of 64 channels, used R·S·K/6 times from L1. The sums of all taps, R·S·K·C numbers, are fetched and stored
// once a row; kOutputs outputs at a time, so that they stay in L2 (74 kB for 3x3, 64 channels).
//
// The rows are cut into strips that the shapes alone decide; each has its own f32 sums, and these are
// added in double in their order. So the result has the same bits for any number of threads, and a
// chain of f32 sums is no longer than one strip.
#include <algorithm>
#include <cstring>

#include "engine/parallel.h"
#include "kernels/conv2d/gradient.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv2d/cpu_weight_gradient.cpp"
#include "kernels/matmul/tile-inl.h"
#include "kernels/partial-inl.h"

#ifndef MEND_CONV2D_CPU_WEIGHT_GRADIENT_ONCE
#define MEND_CONV2D_CPU_WEIGHT_GRADIENT_ONCE
namespace mend {

/// One row of dy against one row of x: the sums of the taps (r, 0 ... S − 1).
struct WeightRow {
  const float* const* dy;  // pointers to Q pixels of dy
  int first_output, Q, K;  // outputs [first_output, first_output + K)
  const float* strip;      // column −padding of x, channels padded to `pitch`
  std::int64_t pitch;      // floats of a pixel of the strip, and of a row of sums
  int step, tap_step, S;   // in pixels of the strip
  float* sums;             // [S][K][pitch]
  int channels;            // of x that count
};

/// One row of dy against one row of x, channel by channel.
struct DepthwiseRow {
  const float* dy;
  std::int64_t dy_stride;
  const float* x;  // column 0; what lies outside [0, W) is 0
  std::int64_t x_stride;
  int Q, W, padding, stride, dilation, S, channels;
  float* sums;  // [S][channels]
};

}  // namespace mend
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

void add_weight_row(const WeightRow& row) {
  const int vectors = (row.channels + kTileLanes - 1) / kTileLanes;
  for (int s = 0; s < row.S; ++s) {
    float* sums = row.sums + s * row.K * row.pitch;
    multiply<Walk::kSteps>(
        row.K, vectors,
        {row.dy, row.first_output, row.Q, row.strip + std::int64_t{s} * row.tap_step * row.pitch,
         row.step * row.pitch, sums, row.pitch, sums, row.pitch});
  }
}

void add_depthwise_row(const DepthwiseRow& row) {
  const hn::ScalableTag<float> d;
  for (int s = 0; s < row.S; ++s) {
    // Outputs whose tap s lies inside the row.
    const int offset = s * row.dilation - row.padding;
    const int first = offset >= 0 ? 0 : (-offset + row.stride - 1) / row.stride;
    const int last = std::min(row.Q, (row.W - offset + row.stride - 1) / row.stride);
    if (first >= last) continue;
    float* sums = row.sums + std::int64_t{s} * row.channels;
    for (int c = 0; c < row.channels; c += kTileLanes) {
      const int count = std::min(kTileLanes, row.channels - c);
      const bool whole = count == kTileLanes;
      const float* x = row.x + (first * row.stride + offset) * row.x_stride + c;
      const float* dy = row.dy + first * row.dy_stride + c;
      auto even = whole ? hn::LoadU(d, sums + c) : load_partial(d, sums + c, count);
      auto odd = hn::Zero(d);
      for (int q = first; q < last; ++q, x += row.stride * row.x_stride, dy += row.dy_stride) {
        const auto xs = whole ? hn::LoadU(d, x) : load_partial(d, x, count);
        const auto dys = whole ? hn::LoadU(d, dy) : load_partial(d, dy, count);
        const auto sum = hn::MulAdd(xs, dys, even);
        even = odd;
        odd = sum;
      }
      const auto sum = hn::Add(even, odd);
      if (whole) {
        hn::StoreU(sum, d, sums + c);
      } else {
        store_partial(sum, d, sums + c, count);
      }
    }
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {

HWY_EXPORT(add_weight_row);
HWY_EXPORT(add_depthwise_row);

namespace {

/// Outputs whose sums are kept together: a multiple of the tile's 6 rows.
constexpr int kOutputs = 48;
/// Channels up to the next whole vector of any instruction set.
std::int64_t padded(int channels) { return (std::int64_t{channels} + 15) / 16 * 16; }
/// Strips of one chunk of outputs, at most: enough for many threads.
constexpr std::int64_t kStrips = 32;
/// What all sums of all strips may take.
constexpr std::int64_t kMostSumBytes = std::int64_t{64} << 20;

/// How the work is cut: strips of rows, times chunks of outputs.
struct Cut {
  Cut(const op::Conv2dWeightGradient& op, const Shape& x, const Shape& dy)
      : C(x.c / op.groups),
        K(dy.c / op.groups),
        chunks((K + kOutputs - 1) / kOutputs),
        pitch(padded(C)),
        sums(std::int64_t{op.kernel_h} * op.kernel_w * K * pitch * op.groups),
        rows(std::int64_t{dy.n} * dy.h),
        strips(std::clamp<std::int64_t>(
            std::min(
                {rows, kStrips, kMostSumBytes / (sums * static_cast<std::int64_t>(sizeof(float)))}),
            1, rows)),
        strip_floats(
            (std::int64_t{dy.w - 1} * op.stride + std::int64_t{op.kernel_w - 1} * op.dilation + 1) *
            pitch),
        pointers(dy.w) {}

  std::int64_t first_row(std::int64_t strip) const { return rows * strip / strips; }
  /// Of one thread: the pointers to a row's pixels, and a row of x.
  std::int64_t thread_bytes() const {
    const std::int64_t bytes = pointers * static_cast<std::int64_t>(sizeof(float*)) +
                               strip_floats * static_cast<std::int64_t>(sizeof(float));
    return (bytes + 63) / 64 * 64;
  }
  std::int64_t sum_bytes() const {
    return strips * sums * static_cast<std::int64_t>(sizeof(float));
  }

  int C, K, chunks;  // of one group
  std::int64_t pitch, sums, rows, strips, strip_floats, pointers;
};

/// Row h of x, the channels of group g, from column −padding on, with zeros outside.
void fill_strip(const Conv2dWeightGradientCall& call, const Cut& cut, int n, int h, int g,
                float* strip) {
  const View<const float>& x = call.x;
  const std::int64_t columns = cut.strip_floats / cut.pitch;
  for (std::int64_t column = 0; column < columns; ++column, strip += cut.pitch) {
    const std::int64_t w = column - call.op.padding_w;
    int copied = 0;
    if (w >= 0 && w < x.shape.w) {
      std::memcpy(strip, x.pixel(n, h, static_cast<int>(w)) + g * cut.C,
                  sizeof(float) * static_cast<std::size_t>(cut.C));
      copied = cut.C;
    }
    std::fill(strip + copied, strip + cut.pitch, 0.0f);
  }
}

/// Rows [first, last) of one image of dy, added to the sums. Each row of x is fetched once for all rows of taps; a tap's
/// rows of dy still come in their order.
void add_rows(const Conv2dWeightGradientCall& call, const Cut& cut, int n, int first, int last,
              int g, int first_output, int outputs, std::byte* memory, float* sums) {
  const auto& [op, x, dy, y, scratch] = call;
  const float** pixels = reinterpret_cast<const float**>(memory);
  float* row_of_x = reinterpret_cast<float*>(pixels + cut.pointers);
  const std::int64_t of_tap_row = std::int64_t{op.kernel_w} * outputs * cut.pitch;
  const int top = std::max(0, first * op.stride - op.padding_h);
  const int reach = (op.kernel_h - 1) * op.dilation;
  const int bottom = std::min(x.shape.h, (last - 1) * op.stride - op.padding_h + reach + 1);
  for (int h = top; h < bottom; ++h) {
    bool fetched = false;
    for (int r = 0; r < op.kernel_h; ++r) {
      const int offset = h + op.padding_h - r * op.dilation, p = offset / op.stride;
      if (offset % op.stride != 0 || p < first || p >= last) continue;
      if (!fetched) fill_strip(call, cut, n, h, g, row_of_x);
      fetched = true;
      for (int q = 0; q < dy.shape.w; ++q) pixels[q] = dy.pixel(n, p, q);
      HWY_DYNAMIC_DISPATCH(add_weight_row)
      ({pixels, g * cut.K + first_output, dy.shape.w, outputs, row_of_x, cut.pitch, op.stride,
        op.dilation, op.kernel_w, sums + r * of_tap_row, cut.C});
    }
  }
}

/// The sums of one strip of rows for one chunk of one group's outputs: [R][S][outputs][pitch].
void sum_strip(const Conv2dWeightGradientCall& call, const Cut& cut, std::int64_t strip, int g,
               int first_output, int outputs, std::byte* memory, float* sums) {
  std::fill_n(sums, call.op.kernel_h * call.op.kernel_w * outputs * cut.pitch, 0.0f);
  const int height = call.dy.shape.h;
  for (std::int64_t row = cut.first_row(strip), end = cut.first_row(strip + 1); row < end;) {
    const int p = static_cast<int>(row % height);
    const int rows = static_cast<int>(std::min<std::int64_t>(height - p, end - row));
    add_rows(call, cut, static_cast<int>(row / height), p, p + rows, g, first_output, outputs,
             memory, sums);
    row += rows;
  }
}

/// Output k of group g as the sum of all strips.
void write_output(const Conv2dWeightGradientCall& call, const Cut& cut, const float* all_sums,
                  int g, int k) {
  const View<float>& y = call.y;
  const int first = k / kOutputs * kOutputs, outputs = std::min(kOutputs, cut.K - first);
  const std::int64_t taps = std::int64_t{y.shape.h} * y.shape.w;
  // Where the chunk's sums begin in those of a strip.
  const std::int64_t chunk = taps * cut.pitch * (std::int64_t{g} * cut.K + first);
  for (int r = 0; r < y.shape.h; ++r)
    for (int s = 0; s < y.shape.w; ++s) {
      const std::int64_t tap = std::int64_t{r} * y.shape.w + s;
      const float* sums = all_sums + chunk + (tap * outputs + k - first) * cut.pitch;
      float* to = y.pixel(g * cut.K + k, r, s);
      // The strips' sums in their order, many channels at once: one channel's lie apart.
      constexpr int kTogether = 64;
      for (int c = 0; c < cut.C; c += kTogether) {
        const int count = std::min(kTogether, cut.C - c);
        double sum[kTogether] = {};
        for (std::int64_t strip = 0; strip < cut.strips; ++strip) {
          const float* from = sums + strip * cut.sums + c;
          for (int i = 0; i < count; ++i) sum[i] += from[i];
        }
        for (int i = 0; i < count; ++i) to[c + i] = static_cast<float>(sum[i]);
      }
    }
}

}  // namespace

std::int64_t conv2d_weight_gradient_tiles_scratch(const op::Conv2dWeightGradient& op,
                                                  const Shapes& in) {
  const Cut cut(op, in[op.kX], in[op.kDy]);
  return cut.sum_bytes() + threads() * cut.thread_bytes();
}

void conv2d_weight_gradient_tiles(const Conv2dWeightGradientCall& call) {
  const Cut cut(call.op, call.x.shape, call.dy.shape);
  const std::int64_t taps = std::int64_t{call.op.kernel_h} * call.op.kernel_w;
  float* all_sums = reinterpret_cast<float*>(call.scratch.data());
  std::byte* memory = call.scratch.data() + cut.sum_bytes();
  const std::int64_t columns = std::int64_t{call.op.groups} * cut.chunks;
  parallel_for(cut.strips * columns, [&](std::int64_t task, int thread) {
    const std::int64_t strip = task / columns;
    const int g = static_cast<int>(task % columns) / cut.chunks;
    const int first = static_cast<int>(task % columns) % cut.chunks * kOutputs;
    float* sums =
        all_sums + strip * cut.sums + taps * cut.pitch * (std::int64_t{g} * cut.K + first);
    sum_strip(call, cut, strip, g, first, std::min(kOutputs, cut.K - first),
              memory + thread * cut.thread_bytes(), sums);
  });
  parallel_for(call.y.shape.n, [&](std::int64_t output, int) {
    write_output(call, cut, all_sums, static_cast<int>(output) / cut.K,
                 static_cast<int>(output) % cut.K);
  });
}

std::int64_t conv2d_weight_gradient_depthwise_scratch(const op::Conv2dWeightGradient& op,
                                                      const Shapes& in) {
  const std::int64_t strips = std::min(kStrips, std::int64_t{in[op.kDy].n} * in[op.kDy].h);
  return strips * op.kernel_h * op.kernel_w * in[op.kX].c *
         static_cast<std::int64_t>(sizeof(float));
}

void conv2d_weight_gradient_depthwise(const Conv2dWeightGradientCall& call) {
  const auto& [op, x, dy, y, scratch] = call;
  const int C = x.shape.c;
  const std::int64_t rows = std::int64_t{dy.shape.n} * dy.shape.h;
  const std::int64_t strips = std::min(kStrips, rows);
  const std::int64_t taps = std::int64_t{op.kernel_h} * op.kernel_w;
  float* all_sums = reinterpret_cast<float*>(scratch.data());
  parallel_for(strips, [&](std::int64_t strip, int) {
    float* sums = all_sums + strip * taps * C;
    std::fill_n(sums, taps * C, 0.0f);
    for (std::int64_t row = rows * strip / strips; row < rows * (strip + 1) / strips; ++row) {
      const int n = static_cast<int>(row / call.dy.shape.h);
      const int p = static_cast<int>(row % call.dy.shape.h);
      for (int r = 0; r < call.op.kernel_h; ++r) {
        const int h = p * call.op.stride + r * call.op.dilation - call.op.padding_h;
        if (h < 0 || h >= call.x.shape.h) continue;
        HWY_DYNAMIC_DISPATCH(add_depthwise_row)
        ({call.dy.pixel(n, p, 0), call.dy.w_stride, call.x.pixel(n, h, 0), call.x.w_stride,
          call.dy.shape.w, call.x.shape.w, call.op.padding_w, call.op.stride, call.op.dilation,
          call.op.kernel_w, C, sums + std::int64_t{r} * call.op.kernel_w * C});
      }
    }
  });
  for (int c = 0; c < C; ++c)
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      double sum = 0;
      for (std::int64_t strip = 0; strip < strips; ++strip) {
        sum += all_sums[(strip * taps + tap) * C + c];
      }
      y(c, static_cast<int>(tap / op.kernel_w), static_cast<int>(tap % op.kernel_w), 0) =
          static_cast<float>(sum);
    }
}

}  // namespace mend
#endif
