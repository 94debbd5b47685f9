// What the depthwise rungs share: how a block walks down a strip of an image, and the rows of x it sees.
//
//   a block    kDepthwiseThreads threads: `units` of 4 channels x `groups` of kGroupColumns columns
//   a strip    `rows` rows of the result, one after the other; row i of x's patch serves the kSize rows
//              i - kSize + 1 ... i of the result, which are kept in registers
//   the ring   kSlots rows of the patch in shared memory, [columns + kSize - 1][units] of 16 bytes, or 8 of f16, of
//              which the next kAhead come by cp.async while one is used
#pragma once

#include "kernels/conv2d/padding_mode.h"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/run.cuh"
#include "kernels/cuda/tensor_core.cuh"

namespace mend::depthwise {

constexpr int kThreads = 256;
constexpr int kGroupColumns = 2;  // of a thread
constexpr int kAhead = 3, kSlots = kAhead + 1;
constexpr int kUnit = 4;  // channels
template <class T>
constexpr int kUnitBytes = kUnit* static_cast<int>(sizeof(T));

/// How an image is dealt out to blocks.
struct Layout {
  int units, groups;                                 // of a block
  int rows;                                          // of a strip
  int tiles_along_c, tiles_along_q, strips, images;  // blocks

  __host__ __device__ int columns() const { return groups * kGroupColumns; }
  __host__ __device__ int blocks_of_pixels() const { return tiles_along_q * strips * images; }
  __host__ __device__ int blocks() const { return tiles_along_c * blocks_of_pixels(); }
  __host__ __device__ int row_bytes(int size, int unit_bytes) const {
    return (columns() + size - 1) * units * unit_bytes;
  }
};

/// With the least waste, and strips that are high where there are enough of them: neighbouring strips both read
/// the rows between them.
inline Layout layout_of(const Shape& y, int size, int unit_bytes) {
  constexpr int kFilling = 198;  // three blocks for two of an H100's multiprocessors
  Layout best{};
  double least = 0;
  for (int units = 4; units <= 32; units *= 2) {
    Layout layout{units, kThreads / units};
    const int columns = layout.columns();
    layout.tiles_along_c = divide_up(y.c, units * kUnit);
    layout.tiles_along_q = divide_up(y.w, columns);
    const double waste = static_cast<double>(layout.tiles_along_c) * units * kUnit / y.c *
                         layout.tiles_along_q * (columns + size - 1) / y.w *
                         (units * unit_bytes < 128 ? 1.5 : 1.0);  // pixels of 64 bytes share banks
    if (best.units == 0 || waste < least) {
      best = layout;
      least = waste;
    }
  }
  best.images = y.n;
  for (best.rows = 32; best.rows >= 4; best.rows /= 2) {
    best.strips = divide_up(y.h, best.rows);
    if (best.blocks() >= kFilling || best.rows == 4) break;
  }
  return best;
}

/// What a thread has of a strip.
struct Strip {
  int n, p, q, c;   // the first row of the strip, the thread's first column and channel
  int tile_q;       // the block's first column
  int unit, group;  // of the thread
  int pixels;       // which block of pixels

  __device__ explicit Strip(const Layout& layout) {
    unit = threadIdx.x % layout.units;
    group = threadIdx.x / layout.units;
    c = (blockIdx.x % layout.tiles_along_c * layout.units + unit) * kUnit;
    pixels = blockIdx.x / layout.tiles_along_c;
    tile_q = pixels % layout.tiles_along_q * layout.columns();
    const int strip = pixels / layout.tiles_along_q;
    p = strip % layout.strips * layout.rows;
    n = strip / layout.strips;
    q = tile_q + group * kGroupColumns;
  }
};

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

/// A thread's part of each row of the patch: up to kParts pixels.
template <class T, int kSize>
struct PatchColumns {
  static constexpr int kParts = kGroupColumns + 1;  // layout.groups >= kSize - 1
  const View<const T>& x;
  const Layout& layout;
  int offset[kParts];  // of the pixel in a row of x, or -1
  int top;             // row 0 of the patch
  int n, c;
  std::uint32_t own;  // behind a row in shared memory
  PaddingMode mode;
  bool moves_units;

  __device__ PatchColumns(const View<const T>& view, bool units, int padding_h, int padding_w,
                          PaddingMode padding_mode, const Layout& tiles, const Strip& strip)
      : x(view),
        layout(tiles),
        top(strip.p - padding_h),
        n(strip.n),
        c(strip.c),
        own((strip.group * tiles.units + strip.unit) * kUnitBytes<T>),
        mode(padding_mode),
        moves_units(units && (strip.c >= view.shape.c || strip.c + kUnit <= view.shape.c)) {
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      const int column = strip.group + part * layout.groups;
      const int w = source_index(strip.tile_q + column - padding_w, x.shape.w, mode);
      // Where y ends before the tile, pixels may lie beyond x in any mode: nobody needs them.
      const bool inside = c < x.shape.c && w >= 0 && w < x.shape.w;
      offset[part] = inside ? static_cast<int>(w * x.w_stride) : -1;
    }
  }

  /// Asks for row `row` of the patch.
  __device__ void load(int row, std::uint32_t slot) const {
    const int h = source_index(top + row, x.shape.h, mode);
    const bool is_row = h >= 0 && h < x.shape.h;
    const T* const from_row = pixel_of(x, n, is_row ? h : 0, 0) + c;
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      if (part == kGroupColumns && own >= (kSize - 1) * layout.units * kUnitBytes<T>) continue;
      const bool inside = is_row && offset[part] >= 0;
      const T* const from = inside ? from_row + offset[part] : x.data;
      const std::uint32_t to = slot + own + part * (kThreads * kUnitBytes<T>);
      if (moves_units) {
        copy_async<kUnitBytes<T>, 0>(to, from, inside ? kUnitBytes<T> : 0);
      } else {
#pragma unroll 1
        for (int j = 0; j < kUnit; ++j) {
          const bool is_channel = inside && c + j < x.shape.c;
          if constexpr (sizeof(T) == 4) {
            copy_4_async(to + j * 4, is_channel ? from + j : x.data, is_channel);
          } else {
            store_bits<0>(to + j * 2, is_channel ? from[j].bits : std::uint16_t{0});
          }
        }
      }
    }
  }
};

#endif  // from compute capability 8.0 on

template <class T>
__device__ Pack<float> numbers_of(Run<T, kUnit> unit) {
  Pack<float> numbers;
#pragma unroll
  for (int j = 0; j < kUnit; ++j) numbers.values[j] = as_float(unit.values[j]);
  return numbers;
}

/// A unit from channel c on of a pixel, zeros where there are no channels. `units`: pixels start at multiples of one.
template <class T>
__device__ Pack<float> load_channels(const T* from, int c, int C, bool units) {
  return numbers_of(load_run<T, kUnit>(from + c, units && c + kUnit <= C, C - c));
}
template <class T>
__device__ void store_channels(T* to, const Pack<float>& numbers, int c, int C, bool units) {
  Run<T, kUnit> unit;
#pragma unroll
  for (int j = 0; j < kUnit; ++j) unit.values[j] = from_float<T>(numbers.values[j]);
  store_run(to + c, unit, units && c + kUnit <= C, C - c);
}

__device__ inline Pack<float> scaled_sum(const Pack<float>& a, const Pack<float>& b,
                                         Pack<float> sum) {
#pragma unroll
  for (int j = 0; j < 4; ++j) sum.values[j] = fmaf(a.values[j], b.values[j], sum.values[j]);
  return sum;
}

}  // namespace mend::depthwise
