// Depthwise convolution: every output channel sees one input channel, so lanes are channels, and
// there is nothing to broadcast.
//
// What limits it: memory. A 3x3 does 9 FMAs for each number read and written, 2.25 FLOPs a byte. In
// the L1 cache one load an FMA would limit it to half the FMA peak; a tile of 8 neighbouring outputs
// keeps the tap's weights in a register and 8 sums in flight, as many as cover the FMA's latency.
// 3x3 has a tile of its own (sum_3x3). In the other cases columns at the border are copied pixel by
// pixel.
#include <hwy/cache_control.h>

#include <algorithm>
#include <string>

#include "engine/parallel.h"
#include "kernels/conv2d/row.h"
#include "kernels/conv2d/variant.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv2d/cpu_depthwise.cpp"
#include "kernels/simd.h"
// The rest once for every instruction set.
#include "kernels/conv2d/epilogue-inl.h"
#include "kernels/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

constexpr int kLanes = static_cast<int>(hn::MaxLanes(hn::ScalableTag<float>()));
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
    finish_tile(epilogue.activation.kind,
                FinishTile{z, pixels, kLanes, channels, constants.slope, epilogue.scale, residual,
                           epilogue.residual_stride, row.y + q * row.y_stride + k, row.y_stride});
  }
}

/// The usual case, 3x3 taps one pixel apart, with its loops unrolled.
bool is_plain_3x3(const ConvRow& row, int multiplier) {
  return row.R == 3 && row.S == 3 && row.step == 1 && row.tap_step == 1 && multiplier == 1 &&
         row.K >= kLanes;
}

/// Tile of a 3x3 row: neighbouring outputs x a cache line of channels. Line and not vector, because
/// pixels of 512 channels are a power of two apart and so in two sets of L1: a line that is read
/// once for each of its vectors would be gone by the second. A row's kTilePixels + 2 numbers are loaded once
/// for three taps: 27 loads for 36 FMAs. 8 sums + 6 numbers + 1 weight are 15 of AVX2's 16 registers.
constexpr int kTilePixels = 4;
constexpr int kTileVectors = std::max(1, std::min(2, 16 / kLanes));
constexpr int kTileChannels = kTileVectors * kLanes;

/// Outputs [q, q + kWidth) of kVectors vectors of channels from k on, all of whose taps lie inside the row.
template <int kWidth, int kVectors>
HWY_INLINE void sum_3x3(const ConvRow& row, int q, int k, std::int64_t taps, const float* bias,
                        float* y, std::int64_t y_stride) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  V sum[kWidth][kVectors];
  HWY_UNROLL(2)
  for (int v = 0; v < kVectors; ++v) {
    const V start = hn::LoadU(d, bias + v * kLanes);
    HWY_UNROLL(4)
    for (int p = 0; p < kWidth; ++p) sum[p][v] = start;
  }
  HWY_UNROLL(3)
  for (int r = 0; r < 3; ++r) {
    if (row.x[r] == nullptr) continue;
    const float* pixel = row.x[r] + (q + row.first) * row.x_stride + k;
    const float* weight = row.weight + k + r * 3 * taps;
    HWY_UNROLL(2)
    for (int v = 0; v < kVectors; ++v) {
      V x[kWidth + 2];
      HWY_UNROLL(6)
      for (int p = 0; p < kWidth + 2; ++p)
        x[p] = hn::LoadU(d, pixel + p * row.x_stride + v * kLanes);
      HWY_UNROLL(3)
      for (int s = 0; s < 3; ++s) {
        const V w = hn::LoadU(d, weight + s * taps + v * kLanes);
        HWY_UNROLL(4)
        for (int p = 0; p < kWidth; ++p) sum[p][v] = hn::MulAdd(x[p + s], w, sum[p][v]);
      }
    }
  }
  HWY_UNROLL(4)
  for (int p = 0; p < kWidth; ++p) {
    HWY_UNROLL(2)
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sum[p][v], d, y + p * y_stride + v * kLanes);
  }
}

/// Asks for what the next tile is the first to touch: the last tap row's columns, and its outputs. Pixels
/// lie further apart than hardware prefetchers look.
HWY_INLINE void fetch_next_tile(const ConvRow& row, const float* x, int q, int k) {
  const float* pixel = x + (q + row.first + kTilePixels + 2) * row.x_stride + k;
  float* y = row.y + (q + kTilePixels) * row.y_stride + k;
  HWY_UNROLL(4)
  for (int p = 0; p < kTilePixels; ++p) {
    hwy::Prefetch(pixel + p * row.x_stride);
    hwy::Prefetch(y + p * row.y_stride);
  }
}

/// Channels [begin, end) of the row, at least a vector, without an epilogue but the bias. The last
/// vector may overlap the one before, so that no lane reads or writes beside the slice.
struct Sums3x3 {
  const ConvRow& row;
  int begin, end;
  const float* bias;  // of channel 0
  std::int64_t taps = blocks_of(row.K) * kConvBlock;

  /// kWidth outputs from q on, all of whose taps lie inside the row.
  template <int kWidth>
  HWY_INLINE void inside(int q) const {
    float* y = row.y + q * row.y_stride;
    const bool has_next = q + 2 * kWidth <= row.Q && q + row.first + 2 * kWidth + 2 <= row.W;
    const float* upcoming = has_next ? row.x[2] : nullptr;
    int k = begin;
    for (; k + kTileChannels <= end; k += kTileChannels) {
      if (kWidth == kTilePixels && upcoming != nullptr) fetch_next_tile(row, upcoming, q, k);
      sum_3x3<kWidth, kTileVectors>(row, q, k, taps, bias + k, y + k, row.y_stride);
    }
    for (; k < end; k += kLanes) {
      const int at = std::min(k, end - kLanes);
      sum_3x3<kWidth, 1>(row, q, at, taps, bias + at, y + at, row.y_stride);
    }
  }

  /// One output with taps outside of the row.
  void at_border(int q) const {
    const hn::ScalableTag<float> d;
    const float* x[9];
    const float* weight[9];
    int count = 0;
    for (int r = 0; r < 3; ++r) {
      if (row.x[r] == nullptr) continue;
      for (int s = 0; s < 3; ++s) {
        const int source = source_index(q + row.first + s, row.W, row.mode);
        if (source < 0) continue;
        x[count] = row.x[r] + source * row.x_stride;
        weight[count++] = row.weight + (r * 3 + s) * taps;
      }
    }
    float* y = row.y + q * row.y_stride;
    for (int k = begin; k < end; k += kLanes) {
      const int at = std::min(k, end - kLanes);
      auto sum = hn::LoadU(d, bias + at);
      for (int t = 0; t < count; ++t) {
        sum = hn::MulAdd(hn::LoadU(d, x[t] + at), hn::LoadU(d, weight[t] + at), sum);
      }
      hn::StoreU(sum, d, y + at);
    }
  }

  void whole_row() const {
    const int inside_begin = std::clamp(-row.first, 0, row.Q);
    const int inside_end = std::clamp(row.W - 2 - row.first, inside_begin, row.Q);
    for (int q = 0; q < inside_begin; ++q) at_border(q);
    int q = inside_begin;
    for (; q + kTilePixels <= inside_end; q += kTilePixels) inside<kTilePixels>(q);
    if (q < inside_end && inside_end - inside_begin >= kTilePixels) {
      inside<kTilePixels>(inside_end - kTilePixels);  // overlaps the tile before
    } else {
      for (; q < inside_end; ++q) inside<1>(q);
    }
    for (q = inside_end; q < row.Q; ++q) at_border(q);
  }
};

/// y = scale · activation(y) + residual for pixels [channels] floats long, `y_stride` apart.
struct FinishInPlace {
  float* y;
  std::int64_t y_stride;
  int pixels, channels;
  const float* slope;  // as many as `channels`, and readable to the next whole vector
  float scale;
  const float* residual;  // or null
  std::int64_t residual_stride;

  template <class Function>
  HWY_INLINE void operator()(Function function) const {
    const hn::ScalableTag<float> d;
    const auto factor = hn::Set(d, scale);
    for (int p = 0; p < pixels; ++p) {
      float* out = y + p * y_stride;
      const float* add = residual == nullptr ? nullptr : residual + p * residual_stride;
      for (int k = 0; k < channels; k += kLanes) {
        const int count = std::min(kLanes, channels - k);
        const auto value = function(d, load_partial(d, out + k, count), hn::LoadU(d, slope + k));
        store_partial(add == nullptr ? hn::Mul(factor, value)
                                     : hn::MulAdd(factor, value, load_partial(d, add + k, count)),
                      d, out + k, count);
      }
    }
  }
};

/// 128 channels at a time: the three rows of a tile and of the next one then fit L1.
void depthwise_3x3_row(const ConvRow& row) {
  constexpr int kChunk = 128;
  for (int begin = 0; begin < row.K; begin += kChunk) {
    const int end = std::min(begin + kChunk, row.K);
    // A short rest goes with vectors that reach back into the chunk before.
    const int channels = std::max(end - begin, kLanes), first = end - channels;
    const ConvEpilogue epilogue = row.epilogue.from_channel(first);
    const TileConstants<kChunk> constants(epilogue, channels);
    Sums3x3{row, first, end, constants.bias - first}.whole_row();
    const bool is_sum = epilogue.activation.kind == ActivationKind::kNone &&
                        epilogue.scale == 1.0f && epilogue.residual == nullptr;
    if (is_sum) continue;
    with_activation(epilogue.activation.kind,
                    FinishInPlace{row.y + first, row.y_stride, row.Q, channels, constants.slope,
                                  epilogue.scale, epilogue.residual, epilogue.residual_stride});
  }
}

void depthwise_row(const ConvRow& row, int multiplier, const float** strip_rows) {
  if (is_plain_3x3(row, multiplier)) return depthwise_3x3_row(row);
  constexpr int kSpan = 4 * kPixels;
  for (int begin = 0; begin < row.Q; begin += kSpan) {
    for (int chunk = 0; chunk < row.K; chunk += kLanes) {
      // The last channels overlap, too, so that no lane reads or writes beside the slice.
      const int k = std::max(0, std::min(chunk, row.K - kLanes));
      depthwise_channels(row, begin, std::min(begin + kSpan, row.Q), k, multiplier, strip_rows);
    }
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(depthwise_row);

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

std::int64_t conv2d_depthwise_scratch_bytes(const op::Conv2d& op, const Shapes&) {
  return row_scratch_bytes(op.kernel_h, op.kernel_w, kConvBlock, op.stride, op.dilation);
}

void conv2d_depthwise(const Conv2dCall& call) {
  const Shape& shape = call.y.shape;
  parallel_for(std::int64_t{shape.n} * shape.h, [&](std::int64_t task, int thread) {
    const int n = static_cast<int>(task / shape.h), p = static_cast<int>(task % shape.h);
    const RowScratch scratch = row_scratch(call.scratch, call.op.kernel_h, thread);
    ConvRow row = conv2d_row_at(call, n, p, 0, shape.w, scratch);
    row.C = 1;
    row.K = shape.c;
    row.weight = call.weight.data;
    HWY_DYNAMIC_DISPATCH(depthwise_row)(row, shape.c / call.x.shape.c, scratch.strip_rows);
  });
}

}  // namespace mend
#endif
