// Direct convolution of one row of outputs.
//
// What limits it: FMAs, two vectors a cycle, as long as their operands come from registers. So a
// register tile of kPixels neighbouring outputs x kVectors vectors of output channels keeps its sums
// in registers for the whole sum over r, s, c: for every input channel it loads kVectors vectors of
// weights and broadcasts kPixels numbers, and does kPixels·kVectors FMAs with them.
//   AVX-512, NEON: 6 x 4 = 24 sums + 4 weights + 1 number = 29 of 32 registers (8 x 3, 12 x 2, 24 x 1
//   where there are fewer channels); AVX2, SSE: 6 x 2 = 12 + 2 + 1 = 15 of 16.
// 24 independent FMAs cover 2 units x 4 cycles of latency three times over. The weights of 64
// outputs (147 KB for 64 -> 64, 3x3) stream from L2 once a tile: 256 bytes in 12 cycles.
//
// Every output is one chain of FMAs in the order r, s, c, whatever the tile's width: it does not
// depend on where in the row, in the image or in a tile of the image the output lies.
#include "kernels/conv2d/epilogue-inl.h"
#include "kernels/conv2d/row.h"
#include "kernels/conv2d/variant.h"
#include "kernels/simd.h"

#if defined(MEND_KERNELS_CONV2D_ROW_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_CONV2D_ROW_INL_H_
#undef MEND_KERNELS_CONV2D_ROW_INL_H_
#else
#define MEND_KERNELS_CONV2D_ROW_INL_H_
#endif

#include <utility>

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {

constexpr int kLanes = static_cast<int>(hn::MaxLanes(hn::ScalableTag<float>()));
constexpr bool kHas32Registers = HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64;
constexpr int kMostVectors = kHas32Registers ? 4 : 2;
constexpr int kMostSums = kHas32Registers ? 24 : 12;
static_assert(kConvBlock % kLanes == 0 && kMostSums <= kWidestTile);
static_assert(kLanes == kConvBlock || kMostVectors * kLanes <= kConvBlock,
              "a tile's vectors lie in one block, or each in its own");

/// One register tile's input: R rows at the tile's first column, S taps in each.
struct TileInput {
  const float* const* rows;
  std::int64_t offset;  // from the start of each row, in floats
  std::int64_t tap_stride, pixel_stride;
  int R, S, C;
};

/// Where a register tile's sums go: to z for finish_tile, or, where `finishes`, straight to y.
struct TileOutput {
  float* z;  // [kPixels][kVectors · kLanes]
  bool finishes;
  ActivationKind activation;
  const float* slope;
  float scale;
  const float* residual;  // of the first pixel, or null
  std::int64_t residual_stride;
  float* y;
  std::int64_t y_stride;
};

/// The activations that a tile applies itself; a copy of the others in every tile would be long.
constexpr bool fits_tile(ActivationKind kind) {
  return kind == ActivationKind::kNone || kind == ActivationKind::kRelu ||
         kind == ActivationKind::kLeakyRelu || kind == ActivationKind::kPrelu;
}

template <class Function, int kPixels, int kVectors, class V>
HWY_INLINE void activate_sums(Function function, const float* slope, V (&sum)[kPixels][kVectors]) {
  const hn::ScalableTag<float> d;
  HWY_UNROLL(4)
  for (int k = 0; k < kVectors; ++k) {
    const V of_channel = hn::Load(d, slope + k * kLanes);
    HWY_UNROLL(24)
    for (int p = 0; p < kPixels; ++p) sum[p][k] = function(d, sum[p][k], of_channel);
  }
}

/// Writes scale · activation(sum) + residual from the registers: beside the FMAs of a 1x1 or of 3
/// input channels, z's detour through memory would be a tenth to a third of the time.
template <int kPixels, int kVectors, class V>
HWY_INLINE void finish_sums(const TileOutput& out, V (&sum)[kPixels][kVectors]) {
  const hn::ScalableTag<float> d;
  if (out.activation == ActivationKind::kRelu) {
    activate_sums(Relu{}, out.slope, sum);
  } else if (out.activation != ActivationKind::kNone) {
    activate_sums(SlopedRelu{}, out.slope, sum);
  }
  if (out.residual == nullptr) {
    const V factor = hn::Set(d, out.scale);
    HWY_UNROLL(24)
    for (int p = 0; p < kPixels; ++p) {
      HWY_UNROLL(4)
      for (int k = 0; k < kVectors; ++k) {
        hn::StoreU(hn::Mul(factor, sum[p][k]), d, out.y + p * out.y_stride + k * kLanes);
      }
    }
    return;
  }
  const V factor = hn::Set(d, out.scale);
  HWY_UNROLL(24)
  for (int p = 0; p < kPixels; ++p) {
    const float* residual = out.residual + p * out.residual_stride;
    HWY_UNROLL(4)
    for (int k = 0; k < kVectors; ++k) {
      const V value = hn::MulAdd(factor, sum[p][k], hn::LoadU(d, residual + k * kLanes));
      hn::StoreU(value, d, out.y + p * out.y_stride + k * kLanes);
    }
  }
}

/// z[p][k] = bias[k] + Σ_{r,s,c}; the next vector's weights lie `vector_stride` floats further on.
template <int kPixels, int kVectors>
HWY_NOINLINE void sum_tile(const TileInput& in, const float* weight, std::int64_t vector_stride,
                           const float* bias, const TileOutput& out) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  V sum[kPixels][kVectors];
  HWY_UNROLL(24)
  for (int p = 0; p < kPixels; ++p) {
    HWY_UNROLL(4)
    for (int k = 0; k < kVectors; ++k) sum[p][k] = hn::Load(d, bias + k * kLanes);
  }
  const std::int64_t pixel_stride = in.pixel_stride;
  for (int r = 0; r < in.R; ++r) {
    if (in.rows[r] == nullptr) {
      weight += std::int64_t{in.S} * in.C * kConvBlock;
      continue;
    }
    const float* x = in.rows[r] + in.offset;
    for (int s = 0; s < in.S; ++s, x += in.tap_stride) {
      for (int c = 0; c < in.C; ++c, weight += kConvBlock) {
        V w[kVectors];
        HWY_UNROLL(4)
        for (int k = 0; k < kVectors; ++k) w[k] = hn::LoadU(d, weight + k * vector_stride);
        HWY_UNROLL(24)
        for (int p = 0; p < kPixels; ++p) {
          const V v = hn::Set(d, x[p * pixel_stride + c]);
          HWY_UNROLL(4)
          for (int k = 0; k < kVectors; ++k) sum[p][k] = hn::MulAdd(v, w[k], sum[p][k]);
        }
      }
    }
  }
  if (out.finishes) return finish_sums<kPixels, kVectors>(out, sum);
  HWY_UNROLL(24)
  for (int p = 0; p < kPixels; ++p) {
    HWY_UNROLL(4)
    for (int k = 0; k < kVectors; ++k) hn::Store(sum[p][k], d, out.z + (p * kVectors + k) * kLanes);
  }
}

using SumTile = void (*)(const TileInput&, const float*, std::int64_t, const float*,
                         const TileOutput&);

/// sum_tile<pixels, kVectors> for pixels in [1, kMostSums / kVectors].
template <int kVectors, int... kWidth>
HWY_INLINE SumTile tile_of_width(int pixels, std::integer_sequence<int, kWidth...>) {
  static constexpr SumTile kTiles[] = {sum_tile<kWidth + 1, kVectors>...};
  return kTiles[pixels - 1];
}

/// Copies the columns that a tile sees and that partly lie outside x into the strip, padded.
/// Returns the tile's input there. `first`: the leftmost of `columns` columns.
HWY_INLINE TileInput pad_into_strip(const ConvRow& row, int first, int columns,
                                    const float** strip_rows) {
  const std::int64_t row_floats = std::int64_t{columns} * row.C;
  const std::size_t pixel_bytes = static_cast<std::size_t>(row.C) * sizeof(float);
  for (int r = 0; r < row.R; ++r) {
    strip_rows[r] = nullptr;
    if (row.x[r] == nullptr) continue;
    float* strip = row.strip + r * row_floats;
    strip_rows[r] = strip;
    for (int column = 0; column < columns; ++column, strip += row.C) {
      const int source = source_index(first + column, row.W, row.mode);
      if (source < 0) {
        std::memset(strip, 0, pixel_bytes);
      } else {
        std::memcpy(strip, row.x[r] + source * row.x_stride, pixel_bytes);
      }
    }
  }
  return {
      strip_rows, 0,    std::int64_t{row.tap_step} * row.C, std::int64_t{row.step} * row.C, row.R,
      row.S,      row.C};
}

/// The input of a tile that sees `columns` columns from `first` on: in place where all of them are inside, else in the
/// strip.
HWY_INLINE TileInput find_input(const ConvRow& row, int first, int columns,
                                const float** strip_rows) {
  const bool inside = row.R == 0 || (first >= 0 && first + columns <= row.W);
  if (!inside) return pad_into_strip(row, first, columns, strip_rows);
  return {row.x,
          first * row.x_stride,
          row.tap_step * row.x_stride,
          row.step * row.x_stride,
          row.R,
          row.S,
          row.C};
}

/// Taps whose channels lie side by side are one tap with more channels: longer inner loops.
HWY_INLINE TileInput join_taps(TileInput in) {
  if (in.tap_stride == in.C) {
    in.C *= in.S;
    in.S = in.S > 0 ? 1 : 0;
  }
  return in;
}

/// The row's output channels [k0, k0 + channels), channels <= kVectors vectors.
template <int kVectors>
HWY_INLINE void convolve_channels(const ConvRow& row, int k0, int channels,
                                  const float** strip_rows) {
  constexpr int kMostPixels = kMostSums / kVectors;
  HWY_ALIGN float z[kMostPixels * kVectors * kLanes];
  const ConvEpilogue epilogue = row.epilogue.from_channel(k0);
  const TileConstants<kVectors * kLanes> constants(epilogue, channels);
  const std::int64_t block_floats = std::int64_t{row.R} * row.S * row.C * kConvBlock;
  const float* weight = row.weight + k0 / kConvBlock * block_floats + k0 % kConvBlock;
  const std::int64_t vector_stride = kLanes == kConvBlock ? block_floats : kLanes;

  // Tiles of one width, as even as can be; the last one overlaps the one before.
  const int tiles = (row.Q + kMostPixels - 1) / kMostPixels;
  const int pixels = (row.Q + tiles - 1) / tiles;
  const SumTile sum =
      tile_of_width<kVectors>(pixels, std::make_integer_sequence<int, kMostPixels>());
  const int columns = (pixels - 1) * row.step + (row.S - 1) * row.tap_step + 1;
  const ActivationKind kind = epilogue.activation.kind;
  TileOutput out{z,
                 channels == kVectors * kLanes && fits_tile(kind),
                 kind,
                 constants.slope,
                 epilogue.scale,
                 nullptr,
                 epilogue.residual_stride,
                 nullptr,
                 row.y_stride};
  for (int t = 0; t < tiles; ++t) {
    const int q = std::min(t * pixels, row.Q - pixels);
    const int first = q * row.step + row.first;
    const TileInput in = find_input(row, first, columns, strip_rows);
    out.residual =
        epilogue.residual == nullptr ? nullptr : epilogue.residual + q * epilogue.residual_stride;
    out.y = row.y + q * row.y_stride + k0;
    sum(join_taps(in), weight, vector_stride, constants.bias, out);
    if (out.finishes) continue;
    finish_tile(
        epilogue.activation.kind,
        FinishTile<float>{z, pixels, kVectors * kLanes, channels, constants.slope, epilogue.scale,
                          out.residual, out.residual_stride, out.y, out.y_stride});
  }
}

/// Computes the row. `strip_rows`: scratch of R pointers.
HWY_INLINE void convolve_row(const ConvRow& row, const float** strip_rows) {
  for (int k = 0; k < row.K;) {
    const int vectors = std::min(kMostVectors, (row.K - k + kLanes - 1) / kLanes);
    const int channels = std::min(row.K - k, vectors * kLanes);
    switch (vectors) {
      case 1:
        convolve_channels<1>(row, k, channels, strip_rows);
        break;
      case 2:
        convolve_channels<2>(row, k, channels, strip_rows);
        break;
      case 3:
        convolve_channels<kHas32Registers ? 3 : 1>(row, k, channels, strip_rows);
        break;
      default:
        convolve_channels<kHas32Registers ? 4 : 1>(row, k, channels, strip_rows);
    }
    k += channels;
  }
}

}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
