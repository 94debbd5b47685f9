// What the depthwise rungs share: how a block walks down a strip of an image, and the rows of x it sees.
//
//   a block    kDepthwiseThreads threads: `units` of 4 channels x `groups` of kGroupColumns columns
//   a strip    `rows` rows of the result, one after the other; row i of x's patch serves the kSize rows
//              i - kSize + 1 ... i of the result, which are kept in registers
//   the ring   kSlots rows of the patch in shared memory, [columns + kSize - 1][units] of 16 bytes, of which the
//              next kAhead come by cp.async while one is used
#pragma once

#include "kernels/conv2d/padding_mode.h"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/tensor_core.cuh"

namespace mend::depthwise {

constexpr int kThreads = 256;
constexpr int kGroupColumns = 2;  // of a thread
constexpr int kAhead = 3, kSlots = kAhead + 1;

/// How an image is dealt out to blocks.
struct Layout {
  int units, groups;                                 // of a block
  int rows;                                          // of a strip
  int tiles_along_c, tiles_along_q, strips, images;  // blocks

  __host__ __device__ int columns() const { return groups * kGroupColumns; }
  __host__ __device__ int blocks_of_pixels() const { return tiles_along_q * strips * images; }
  __host__ __device__ int blocks() const { return tiles_along_c * blocks_of_pixels(); }
  __host__ __device__ int row_bytes(int size) const { return (columns() + size - 1) * units * 16; }
};

/// With the least waste, and strips that are high where there are enough of them: neighbouring strips both read
/// the rows between them.
inline Layout layout_of(const Shape& y, int size) {
  constexpr int kFilling = 198;  // three blocks for two of an H100's multiprocessors
  Layout best{};
  double least = 0;
  for (int units = 4; units <= 32; units *= 2) {
    Layout layout{units, kThreads / units};
    const int columns = layout.columns();
    layout.tiles_along_c = divide_up(y.c, units * 4);
    layout.tiles_along_q = divide_up(y.w, columns);
    const double waste = static_cast<double>(layout.tiles_along_c) * units * 4 / y.c *
                         layout.tiles_along_q * (columns + size - 1) / y.w *
                         (units < 8 ? 1.5 : 1.0);  // two pixels of 64 bytes lie in the same banks
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
    c = (blockIdx.x % layout.tiles_along_c * layout.units + unit) * 4;
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
template <int kSize>
struct PatchColumns {
  static constexpr int kParts = kGroupColumns + 1;  // layout.groups >= kSize - 1
  const View<const float>& x;
  const Layout& layout;
  int offset[kParts];  // of the pixel in a row of x, or -1
  int top;             // row 0 of the patch
  int n, c;
  std::uint32_t own;  // behind a row in shared memory
  PaddingMode mode;
  bool moves_packs;

  __device__ PatchColumns(const View<const float>& view, bool packs, int padding_h, int padding_w,
                          PaddingMode padding_mode, const Layout& tiles, const Strip& strip)
      : x(view),
        layout(tiles),
        top(strip.p - padding_h),
        n(strip.n),
        c(strip.c),
        own((strip.group * tiles.units + strip.unit) * 16),
        mode(padding_mode),
        moves_packs(packs && (strip.c >= view.shape.c || strip.c + 4 <= view.shape.c)) {
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
    const float* const from_row = pixel_of(x, n, is_row ? h : 0, 0) + c;
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      if (part == kGroupColumns && own >= (kSize - 1) * layout.units * 16) continue;
      const bool inside = is_row && offset[part] >= 0;
      const float* const from = inside ? from_row + offset[part] : x.data;
      const std::uint32_t to = slot + own + part * (kThreads * 16);
      if (moves_packs) {
        copy_16_async(to, from, inside);
      } else {
#pragma unroll 1
        for (int j = 0; j < 4; ++j) {
          const bool is_channel = inside && c + j < x.shape.c;
          copy_4_async(to + j * 4, is_channel ? from + j : x.data, is_channel);
        }
      }
    }
  }
};

#endif  // from compute capability 8.0 on

/// Four channels from c on of a pixel, zeros where there are none.
__device__ inline Pack<float> load_channels(const float* from, int c, int C, bool packs) {
  if (packs && c + 4 <= C) return *reinterpret_cast<const Pack<float>*>(from + c);
  Pack<float> pack{};
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    if (c + j < C) pack.values[j] = from[c + j];
  }
  return pack;
}
__device__ inline void store_channels(float* to, const Pack<float>& pack, int c, int C,
                                      bool packs) {
  if (packs && c + 4 <= C) {
    *reinterpret_cast<Pack<float>*>(to + c) = pack;
    return;
  }
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    if (c + j < C) to[c + j] = pack.values[j];
  }
}

__device__ inline Pack<float> scaled_sum(const Pack<float>& a, const Pack<float>& b,
                                         Pack<float> sum) {
#pragma unroll
  for (int j = 0; j < 4; ++j) sum.values[j] = fmaf(a.values[j], b.values[j], sum.values[j]);
  return sum;
}

}  // namespace mend::depthwise
