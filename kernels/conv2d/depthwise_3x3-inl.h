// Rows of a depthwise 3x3 convolution whose taps lie one pixel apart: the usual case, with its loops
// unrolled. Included once for every instruction set; see kernels/simd.h.
#include <hwy/cache_control.h>

#include <algorithm>

#include "kernels/conv2d/epilogue-inl.h"
#include "kernels/conv2d/row.h"
#include "kernels/partial-inl.h"
#include "kernels/simd.h"

#if defined(MEND_KERNELS_CONV2D_DEPTHWISE_3X3_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_CONV2D_DEPTHWISE_3X3_INL_H_
#undef MEND_KERNELS_CONV2D_DEPTHWISE_3X3_INL_H_
#else
#define MEND_KERNELS_CONV2D_DEPTHWISE_3X3_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {

constexpr int kDepthwiseLanes = static_cast<int>(hn::MaxLanes(hn::ScalableTag<float>()));

/// Tile of 3x3 rows: neighbouring outputs x a cache line of channels. Line and not vector, because
/// pixels of 512 channels are a power of two apart and so in two sets of L1: a line that is read
/// once for each of its vectors would be gone by the second. A row's kTilePixels + 2 numbers are loaded once
/// for three taps: 27 loads for 36 FMAs. 8 sums + 6 numbers + 1 weight are 15 of AVX2's 16 registers. Where a line is one
/// vector, 8 sums are two rows, which share two of their three rows of x: 42 loads for 72 FMAs.
constexpr int kTilePixels = 4;
constexpr int kTileVectors = std::max(1, std::min(2, 16 / kDepthwiseLanes));
constexpr int kTileChannels = kTileVectors * kDepthwiseLanes;
constexpr int kTileRows = kTileVectors == 1 ? kDepthwiseRows : 1;

/// Where the sums of neighbouring rows go: y of pixel 0 and channel 0, and the distances between pixels and rows.
struct SumsPlace {
  float* y;
  std::int64_t pixel, row;
};

/// Outputs [q, q + kWidth) of kRows rows, kVectors vectors of channels from k on, all of whose taps lie inside the rows.
template <int kRows, int kWidth, int kVectors>
HWY_INLINE void sum_3x3(const ConvRow& row, int q, int k, std::int64_t taps, const float* bias,
                        const SumsPlace& to) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  V sum[kRows][kWidth][kVectors];
  HWY_UNROLL(2)
  for (int v = 0; v < kVectors; ++v) {
    const V start = hn::LoadU(d, bias + v * kDepthwiseLanes);
    HWY_UNROLL(2)
    for (int o = 0; o < kRows; ++o) {
      HWY_UNROLL(4)
      for (int p = 0; p < kWidth; ++p) sum[o][p][v] = start;
    }
  }
  HWY_UNROLL(4)
  for (int i = 0; i < kRows + 2; ++i) {
    if (row.x[i] == nullptr) continue;
    const float* pixel = row.x[i] + (q + row.first) * row.x_stride + k;
    HWY_UNROLL(2)
    for (int v = 0; v < kVectors; ++v) {
      V x[kWidth + 2];
      HWY_UNROLL(6)
      for (int p = 0; p < kWidth + 2; ++p)
        x[p] = hn::LoadU(d, pixel + p * row.x_stride + v * kDepthwiseLanes);
      HWY_UNROLL(2)
      for (int o = 0; o < kRows; ++o) {
        const int r = i - o;  // this row of x is tap row r of output row o
        if (r < 0 || r > 2) continue;
        const float* weight = row.weight + k + r * 3 * taps + v * kDepthwiseLanes;
        HWY_UNROLL(3)
        for (int s = 0; s < 3; ++s) {
          const V w = hn::LoadU(d, weight + s * taps);
          HWY_UNROLL(4)
          for (int p = 0; p < kWidth; ++p) sum[o][p][v] = hn::MulAdd(x[p + s], w, sum[o][p][v]);
        }
      }
    }
  }
  HWY_UNROLL(2)
  for (int o = 0; o < kRows; ++o) {
    HWY_UNROLL(4)
    for (int p = 0; p < kWidth; ++p) {
      float* y = to.y + o * to.row + (q + p) * to.pixel + k;
      HWY_UNROLL(2)
      for (int v = 0; v < kVectors; ++v) hn::StoreU(sum[o][p][v], d, y + v * kDepthwiseLanes);
    }
  }
}

/// Channels [begin, end) of kRows rows, at least a vector, without an epilogue but the bias. row.x: the kRows + 2 rows
/// that they see. The last vector may overlap the one before, so that no lane reads or writes beside the slice.
template <int kRows>
struct Sums3x3 {
  const ConvRow& row;
  SumsPlace to;
  int begin, end;
  const float* bias;  // of channel 0
  bool from_afar;     // x and y come from beyond L2 and are asked for ahead of time
  std::int64_t taps = blocks_of(row.K) * kConvBlock;

  /// Asks for what the next tile is the first to touch: the last tap row's columns, and its first row of outputs. Pixels
  /// lie further apart than hardware prefetchers look. With two rows there is more, but asking for it cost more than it brought.
  HWY_INLINE void fetch_next_tile(const float* x, int q, int k) const {
    const float* pixel = x + (q + row.first + kTilePixels + 2) * row.x_stride + k;
    const float* y = to.y + (q + kTilePixels) * to.pixel + k;
    HWY_UNROLL(4)
    for (int p = 0; p < kTilePixels; ++p) {
      hwy::Prefetch(pixel + p * row.x_stride);
      hwy::Prefetch(y + p * to.pixel);
    }
  }

  /// kWidth outputs of each row from q on, all of whose taps lie inside the rows.
  template <int kWidth>
  HWY_INLINE void inside(int q) const {
    const bool has_next = q + 2 * kWidth <= row.Q && q + row.first + 2 * kWidth + 2 <= row.W;
    const float* upcoming = from_afar && has_next ? row.x[kRows + 1] : nullptr;
    int k = begin;
    for (; k + kTileChannels <= end; k += kTileChannels) {
      if (kWidth == kTilePixels && upcoming != nullptr) fetch_next_tile(upcoming, q, k);
      sum_3x3<kRows, kWidth, kTileVectors>(row, q, k, taps, bias + k, to);
    }
    for (; k < end; k += kDepthwiseLanes) {
      const int at = std::min(k, end - kDepthwiseLanes);
      sum_3x3<kRows, kWidth, 1>(row, q, at, taps, bias + at, to);
    }
  }

  /// One output of row number o with taps outside of the rows.
  void at_border(int o, int q) const {
    const hn::ScalableTag<float> d;
    const float* x[9];
    const float* weight[9];
    int count = 0;
    for (int r = 0; r < 3; ++r) {
      if (row.x[o + r] == nullptr) continue;
      for (int s = 0; s < 3; ++s) {
        const int source = source_index(q + row.first + s, row.W, row.mode);
        if (source < 0) continue;
        x[count] = row.x[o + r] + source * row.x_stride;
        weight[count++] = row.weight + (r * 3 + s) * taps;
      }
    }
    float* y = to.y + o * to.row + q * to.pixel;
    for (int k = begin; k < end; k += kDepthwiseLanes) {
      const int at = std::min(k, end - kDepthwiseLanes);
      auto sum = hn::LoadU(d, bias + at);
      for (int t = 0; t < count; ++t) {
        sum = hn::MulAdd(hn::LoadU(d, x[t] + at), hn::LoadU(d, weight[t] + at), sum);
      }
      hn::StoreU(sum, d, y + at);
    }
  }

  void border(int first, int last) const {
    for (int o = 0; o < kRows; ++o)
      for (int q = first; q < last; ++q) at_border(o, q);
  }

  void whole_rows() const {
    const int inside_begin = std::clamp(-row.first, 0, row.Q);
    const int inside_end = std::clamp(row.W - 2 - row.first, inside_begin, row.Q);
    border(0, inside_begin);
    int q = inside_begin;
    for (; q + kTilePixels <= inside_end; q += kTilePixels) inside<kTilePixels>(q);
    if (q < inside_end && inside_end - inside_begin >= kTilePixels) {
      inside<kTilePixels>(inside_end - kTilePixels);  // overlaps the tile before
    } else {
      for (; q < inside_end; ++q) inside<1>(q);
    }
    border(inside_end, row.Q);
  }
};

/// `rows` rows of sums, as Sums3x3 has them, kTileRows at a time.
HWY_INLINE void sum_3x3_rows(ConvRow row, int rows, SumsPlace to, int begin, int end,
                             const float* bias, bool from_afar) {
  for (; rows >= kTileRows; rows -= kTileRows) {
    Sums3x3<kTileRows>{row, to, begin, end, bias, from_afar}.whole_rows();
    row.x += kTileRows;
    to.y += kTileRows * to.row;
  }
  if (kTileRows > 1 && rows > 0) Sums3x3<1>{row, to, begin, end, bias, from_afar}.whole_rows();
}

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
      for (int k = 0; k < channels; k += kDepthwiseLanes) {
        const int count = std::min(kDepthwiseLanes, channels - k);
        const auto value = function(d, load_partial(d, out + k, count), hn::LoadU(d, slope + k));
        store_partial(add == nullptr ? hn::Mul(factor, value)
                                     : hn::MulAdd(factor, value, load_partial(d, add + k, count)),
                      d, out + k, count);
      }
    }
  }
};

/// `rows` rows of outputs, y_row floats apart, from row.y on; row.x: the rows + 2 rows that they see. 128 channels at a
/// time: the rows of a tile and of the next one then fit L1.
HWY_INLINE void depthwise_3x3_rows(const ConvRow& row, int rows, std::int64_t y_row,
                                   std::int64_t residual_row) {
  constexpr int kChunk = 128;
  for (int begin = 0; begin < row.K; begin += kChunk) {
    const int end = std::min(begin + kChunk, row.K);
    // A short rest goes with vectors that reach back into the chunk before.
    const int channels = std::max(end - begin, kDepthwiseLanes), first = end - channels;
    const ConvEpilogue epilogue = row.epilogue.from_channel(first);
    const TileConstants<kChunk> constants(epilogue, channels);
    sum_3x3_rows(row, rows, {row.y, row.y_stride, y_row}, first, end, constants.bias - first, true);
    const bool is_sum = epilogue.activation.kind == ActivationKind::kNone &&
                        epilogue.scale == 1.0f && epilogue.residual == nullptr;
    if (is_sum) continue;
    for (int o = 0; o < rows; ++o) {
      const float* residual =
          epilogue.residual == nullptr ? nullptr : epilogue.residual + o * residual_row;
      with_activation(
          epilogue.activation.kind,
          FinishInPlace{row.y + o * y_row + first, row.y_stride, row.Q, channels, constants.slope,
                        epilogue.scale, residual, epilogue.residual_stride});
    }
  }
}

}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
