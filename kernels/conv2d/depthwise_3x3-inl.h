// One row of a depthwise 3x3 convolution whose taps lie one pixel apart: the usual case, with its loops
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

HWY_INLINE bool is_plain_3x3(const ConvRow& row) {
  return row.R == 3 && row.S == 3 && row.step == 1 && row.tap_step == 1 && row.K >= kDepthwiseLanes;
}

/// Tile of a 3x3 row: neighbouring outputs x a cache line of channels. Line and not vector, because
/// pixels of 512 channels are a power of two apart and so in two sets of L1: a line that is read
/// once for each of its vectors would be gone by the second. A row's kTilePixels + 2 numbers are loaded once
/// for three taps: 27 loads for 36 FMAs. 8 sums + 6 numbers + 1 weight are 15 of AVX2's 16 registers.
constexpr int kTilePixels = 4;
constexpr int kTileVectors = std::max(1, std::min(2, 16 / kDepthwiseLanes));
constexpr int kTileChannels = kTileVectors * kDepthwiseLanes;

/// Outputs [q, q + kWidth) of kVectors vectors of channels from k on, all of whose taps lie inside the row.
template <int kWidth, int kVectors>
HWY_INLINE void sum_3x3(const ConvRow& row, int q, int k, std::int64_t taps, const float* bias,
                        float* y, std::int64_t y_stride) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  V sum[kWidth][kVectors];
  HWY_UNROLL(2)
  for (int v = 0; v < kVectors; ++v) {
    const V start = hn::LoadU(d, bias + v * kDepthwiseLanes);
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
        x[p] = hn::LoadU(d, pixel + p * row.x_stride + v * kDepthwiseLanes);
      HWY_UNROLL(3)
      for (int s = 0; s < 3; ++s) {
        const V w = hn::LoadU(d, weight + s * taps + v * kDepthwiseLanes);
        HWY_UNROLL(4)
        for (int p = 0; p < kWidth; ++p) sum[p][v] = hn::MulAdd(x[p + s], w, sum[p][v]);
      }
    }
  }
  HWY_UNROLL(4)
  for (int p = 0; p < kWidth; ++p) {
    HWY_UNROLL(2)
    for (int v = 0; v < kVectors; ++v)
      hn::StoreU(sum[p][v], d, y + p * y_stride + v * kDepthwiseLanes);
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
    for (; k < end; k += kDepthwiseLanes) {
      const int at = std::min(k, end - kDepthwiseLanes);
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
    for (int k = begin; k < end; k += kDepthwiseLanes) {
      const int at = std::min(k, end - kDepthwiseLanes);
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

/// 128 channels at a time: the three rows of a tile and of the next one then fit L1.
HWY_INLINE void depthwise_3x3_row(const ConvRow& row) {
  constexpr int kChunk = 128;
  for (int begin = 0; begin < row.K; begin += kChunk) {
    const int end = std::min(begin + kChunk, row.K);
    // A short rest goes with vectors that reach back into the chunk before.
    const int channels = std::max(end - begin, kDepthwiseLanes), first = end - channels;
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

}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
