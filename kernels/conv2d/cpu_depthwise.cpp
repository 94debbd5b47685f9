// Depthwise convolution: every output channel sees one input channel, so lanes are channels, and
// there is nothing to broadcast.
//
// What limits it: memory. A 3x3 does 9 FMAs for each number read and written, 2.25 FLOPs a byte. In
// the L1 cache one load an FMA would limit it to half the FMA peak; a tile of 8 neighbouring outputs
// keeps the tap's weights in a register and 8 sums in flight, as many as cover the FMA's latency.
// 3x3 has a tile of its own (depthwise_3x3-inl.h). In the other cases columns at the border are copied
// pixel by pixel.
#include <algorithm>
#include <string>

#include "engine/parallel.h"
#include "kernels/conv2d/row.h"
#include "kernels/conv2d/variant.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv2d/cpu_depthwise.cpp"
#include "kernels/simd.h"
// The rest once for every instruction set.
#include "kernels/conv2d/depthwise_3x3-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

constexpr int kLanes = kDepthwiseLanes;
constexpr int kPixels = 8;

/// A tile's input: for tap row r the tile's first column, at the tile's first channel.
struct DepthwiseInput {
  const float* const* rows;
  std::int64_t offset, tap_stride, pixel_stride;
};

/// z[p] = bias + Σ_{r,s} x · weight for kLanes channels; weight[r][s] lies `taps` floats apart.
template <int kWidth>
HWY_INLINE void sum_taps(const DepthwiseInput& in, int R, int S, const float* weight,
                         std::int64_t taps, const float* bias, float* z) {
  const hn::ScalableTag<float> d;
  hn::Vec<decltype(d)> sum[kWidth];
  HWY_UNROLL(8)
  for (int p = 0; p < kWidth; ++p) sum[p] = hn::Load(d, bias);
  for (int r = 0; r < R; ++r) {
    if (in.rows[r] == nullptr) {
      weight += S * taps;
      continue;
    }
    const float* x = in.rows[r] + in.offset;
    for (int s = 0; s < S; ++s, x += in.tap_stride, weight += taps) {
      const auto w = hn::LoadU(d, weight);
      HWY_UNROLL(8)
      for (int p = 0; p < kWidth; ++p) {
        sum[p] = hn::MulAdd(hn::LoadU(d, x + p * in.pixel_stride), w, sum[p]);
      }
    }
  }
  HWY_UNROLL(8)
  for (int p = 0; p < kWidth; ++p) hn::Store(sum[p], d, z + p * kLanes);
}

/// Lanes [k, k + channels) of one input pixel; output channel k reads input channel k / multiplier.
HWY_INLINE void copy_lanes(const float* pixel, int k, int channels, int multiplier, float* strip) {
  if (multiplier == 1) {
    std::memcpy(strip, pixel + k, static_cast<std::size_t>(channels) * sizeof(float));
    return;
  }
  for (int lane = 0; lane < channels; ++lane) strip[lane] = pixel[(k + lane) / multiplier];
}

/// The columns that a tile sees, padded, lane by lane; zeros from channel K on.
DepthwiseInput pad_into_strip(const ConvRow& row, int first, int columns, int k, int multiplier,
                              const float** strip_rows) {
  float* strip = row.strip;
  const int channels = std::min(kLanes, row.K - k);
  for (int r = 0; r < row.R; ++r) {
    strip_rows[r] = nullptr;
    if (row.x[r] == nullptr) continue;
    strip_rows[r] = strip;
    for (int column = 0; column < columns; ++column, strip += kLanes) {
      const int source = source_index(first + column, row.W, row.mode);
      if (source < 0 || channels < kLanes) std::memset(strip, 0, kLanes * sizeof(float));
      if (source >= 0) {
        copy_lanes(row.x[r] + source * row.x_stride, k, channels, multiplier, strip);
      }
    }
  }
  return {strip_rows, 0, std::int64_t{row.tap_step} * kLanes, std::int64_t{row.step} * kLanes};
}

/// Outputs [begin, end) of the row, channels [k, k + kLanes).
void depthwise_channels(const ConvRow& row, int begin, int end, int k, int multiplier,
                        const float** strip_rows) {
  HWY_ALIGN float z[kPixels * kLanes];
  const int channels = std::min(kLanes, row.K - k);
  const std::int64_t taps = blocks_of(row.K) * kConvBlock;
  const ConvEpilogue epilogue = row.epilogue.from_channel(k);
  const TileConstants<kLanes> constants(epilogue, channels);
  const int pixels = std::min(kPixels, row.Q);
  const int columns = (pixels - 1) * row.step + (row.S - 1) * row.tap_step + 1;
  for (int tile = begin; tile < end; tile += kPixels) {
    const int q = std::min(tile, row.Q - pixels);  // the last tile overlaps the one before
    const int first = q * row.step + row.first;
    const bool inside = first >= 0 && first + columns <= row.W;
    const DepthwiseInput in =
        inside && multiplier == 1 && channels == kLanes
            ? DepthwiseInput{row.x, first * row.x_stride + k, row.tap_step * row.x_stride,
                             row.step * row.x_stride}
            : pad_into_strip(row, first, columns, k, multiplier, strip_rows);
    if (pixels == kPixels) {
      sum_taps<kPixels>(in, row.R, row.S, row.weight + k, taps, constants.bias, z);
    } else {
      for (int p = 0; p < pixels; ++p) {
        DepthwiseInput one = in;
        one.offset += p * in.pixel_stride;
        sum_taps<1>(one, row.R, row.S, row.weight + k, taps, constants.bias, z + p * kLanes);
      }
    }
    const float* residual =
        epilogue.residual == nullptr ? nullptr : epilogue.residual + q * epilogue.residual_stride;
    finish_tile(
        epilogue.activation.kind,
        FinishTile<float>{z, pixels, kLanes, channels, constants.slope, epilogue.scale, residual,
                          epilogue.residual_stride, row.y + q * row.y_stride + k, row.y_stride});
  }
}

void depthwise_row(const ConvRow& row, int multiplier, const float** strip_rows) {
  constexpr int kSpan = 4 * kPixels;
  for (int begin = 0; begin < row.Q; begin += kSpan) {
    for (int chunk = 0; chunk < row.K; chunk += kLanes) {
      // The last channels overlap, too, so that no lane reads or writes beside the slice.
      const int k = std::max(0, std::min(chunk, row.K - kLanes));
      depthwise_channels(row, begin, std::min(begin + kSpan, row.Q), k, multiplier, strip_rows);
    }
  }
}

void depthwise_rows(const ConvRow& row, int rows, std::int64_t y_row, std::int64_t residual_row) {
  depthwise_3x3_rows(row, rows, y_row, residual_row);
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(depthwise_row);
HWY_EXPORT(depthwise_rows);

std::string conv2d_depthwise_refuses(const op::Conv2d& op, const Shapes& in) {
  const int channels = in[op::Conv2d::kX].c;
  if (op.groups == channels) return {};
  return "needs one group a channel; this layer has " + std::to_string(op.groups) + " groups for " +
         std::to_string(channels) + " channels";
}

double conv2d_depthwise_seconds(const op::Conv2d& op, const Shapes& in) {
  const Cost cost = op.cost(in);
  return cost.flops / (0.3 * NominalMachine::kFlopsPerSecond) +
         cost.bytes / NominalMachine::kBytesPerSecond;
}

/// [R·S][K], K padded to whole blocks with zeros.
Shape conv2d_depthwise_packed_shape(const op::Conv2d&, const Shape& weight) {
  return {1, 1, weight.h * weight.w, blocks_of(weight.n) * kConvBlock};
}

void conv2d_depthwise_pack(const op::Conv2d&, View<const float> weight, View<float> packed) {
  const Shape& shape = weight.shape;
  for (int r = 0; r < shape.h; ++r)
    for (int s = 0; s < shape.w; ++s) {
      float* to = packed.pixel(0, 0, r * shape.w + s);
      for (int k = 0; k < packed.shape.c; ++k) to[k] = k < shape.n ? weight(k, r, s, 0) : 0.0f;
    }
}

namespace {

/// The layers that depthwise_3x3-inl.h is for.
bool is_plain_3x3(const op::Conv2d& op, const Shape& x) {
  return op.kernel_h == 3 && op.kernel_w == 3 && op.stride == 1 && op.dilation == 1 &&
         op.outputs == x.c && x.c >= kConvBlock;
}

/// Rows of x that a task looks at, at most.
int rows_seen(const op::Conv2d& op) { return op.kernel_h + kDepthwiseRows - 1; }

}  // namespace

std::int64_t conv2d_depthwise_scratch_bytes(const op::Conv2d& op, const Shapes&) {
  return row_scratch_bytes(rows_seen(op), op.kernel_w, kConvBlock, op.stride, op.dilation);
}

void conv2d_depthwise(const Conv2dCall& call) {
  const Shape& shape = call.y.shape;
  const bool plain = is_plain_3x3(call.op, call.x.shape);
  const int together = plain ? kDepthwiseRows : 1, tasks = (shape.h + together - 1) / together;
  parallel_for(std::int64_t{shape.n} * tasks, [&](std::int64_t task, int thread) {
    const int n = static_cast<int>(task / tasks), p = static_cast<int>(task % tasks) * together;
    const int rows = std::min(together, shape.h - p);
    const RowScratch scratch = row_scratch(call.scratch, rows_seen(call.op), thread);
    ConvRow row = conv2d_row_at(call, n, p, 0, shape.w, scratch, rows);
    row.C = 1;
    row.K = shape.c;
    row.weight = call.weight.data;
    if (plain) {
      HWY_DYNAMIC_DISPATCH(depthwise_rows)(row, rows, call.y.h_stride, call.residual.h_stride);
    } else {
      HWY_DYNAMIC_DISPATCH(depthwise_row)(row, shape.c / call.x.shape.c, scratch.strip_rows);
    }
  });
}

}  // namespace mend
#endif
