// The tile of conv2d_pair/cuda_mma: its extents, what it brings into shared memory, and its products. cuda_mma.cu
// says why they are so.
#pragma once

#include "kernels/conv2d/cuda_mma_stage.cuh"
#include "kernels/conv2d_pair/cuda.h"
#include "kernels/cuda/element.cuh"

namespace mend::conv2d_pair_mma {

using conv2d_mma::kDepth;
using conv2d_mma::kTaps;

/// CudaConv2dPairTile at compile time. The middle: the first layer's pixels, the second one's input.
template <int kChannels>
struct Tile {
  static constexpr CudaConv2dPairTile kShape{kChannels};
  static constexpr int kBlock = kChannels;
  static constexpr int kWarpsP = 2, kWarpsQ = kShape.warps_q(), kWarpsK = kShape.warps_k();
  static constexpr int kThreads = kWarpsP * kWarpsQ * kWarpsK * 32;
  static constexpr int kFirstRows = CudaConv2dPairTile::kWarpRows;  // of a warp
  static constexpr int kSecondRows = kFirstRows - 1;
  static constexpr int kOutputs = kBlock / kWarpsK;  // of a warp
  static constexpr int kColumns = kOutputs / 8;      // mma side by side

  static constexpr int kTileRows = kShape.rows(), kTileColumns = kShape.columns();
  static constexpr int kMiddleRows = kTileRows + kTaps - 1;
  static constexpr int kMiddleColumns = kTileColumns + kTaps - 1;
  static constexpr int kPatchRows = kMiddleRows + kTaps - 1;
  static constexpr int kPatchColumns = kMiddleColumns + kTaps - 1;
  static constexpr int kPixelBytes = kChannels * 2, kUnits = kPixelBytes / 16;
  static constexpr int kPatchRowBytes = kPatchColumns * kPixelBytes;
  static constexpr int kMiddleRowBytes = kMiddleColumns * kPixelBytes;

  static constexpr int kStageBytes = kShape.stage_bytes();
  static constexpr int kSlots = CudaConv2dPairTile::kSlots;  // of the ring
  static constexpr int kStagesOfLayer = kChannels / kDepth * kTaps;

  // The patch; then the middle, and behind it what activations need. The last two pixels that the mma of the last
  // row read lie behind the middle: their sums are nobody's.
  static constexpr int kMiddleBytes = kMiddleRows * kMiddleRowBytes + 2 * kPixelBytes;
  static constexpr int kSumsOfRow = kColumns * 4;  // of a thread
  static constexpr int kStagedBytes = kSumsOfRow * kThreads * 4;
  static constexpr int kPatchBytes = kPatchRows * kPatchRowBytes;
  static constexpr int kPixelsBytes =
      kPatchBytes > kMiddleBytes + kStagedBytes ? kPatchBytes : kMiddleBytes + kStagedBytes;
  static constexpr int kSharedBytes = kPixelsBytes + kSlots * kStageBytes;
  static_assert(kSharedBytes <= 99 << 10, "what compute capability 8.6 and 8.9 give a block");
  static_assert(kMiddleColumns == 16 * kWarpsQ && kMiddleRows == kWarpsP * kFirstRows &&
                kTileRows == kWarpsP * kSecondRows && kPixelsBytes % 16 == 0);

  /// Where unit `unit`, 16 bytes, of the pixels of a column lies in the pixel. Eight neighbouring pixels' then lie
  /// in different banks. Repeats after 8 columns.
  __device__ static constexpr int swizzled(int column, int unit) {
    if (kUnits == 8) return unit ^ (column & 7);
    if (kUnits == 4) return unit ^ (column >> 1 & 3);
    return unit ^ (column >> 2 & 1);
  }
};

template <class T>
struct Layer {
  Activation activation;
  bool shared_slope;
  const T* weight;
  const float *bias, *slope;
};

template <class T>
struct Arguments {
  Layer<T> first, second;
  float scale;
  View<const T> x, residual;
  View<T> y;
  bool x_packs, y_packs, residual_packs;  // every pixel starts at a multiple of 16 bytes
  int tiles_along_q, tiles_along_p;
};

/// Where in y a block's tile starts.
struct Origin {
  int n, p, q;
};

/// What a warp has of its block's tile.
struct Share {
  int along_p, along_q, k, lane;  // k: its first output

  /// The first of the two channels that this lane has of mma j.
  __device__ int channel(int j) const { return k + j * 8 + lane % 4 * 2; }
};

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

/// Asks for kRows x kColumns pixels of `image` from row `top` and column `left` on, zeros outside it. Rows lie
/// kRowBytes apart in shared memory.
template <class Tile, int kRows, int kColumns, int kRowBytes, class T>
__device__ void load_pixels(const View<const T>& image, bool packs, int n, int top, int left,
                            char* pixels) {
  const std::uint32_t shared = shared_address(pixels);
  const T* const first = image.data + n * image.n_stride;
#pragma unroll 2
  for (int i = threadIdx.x; i < kRows * kColumns * Tile::kUnits; i += Tile::kThreads) {
    const int unit = i % Tile::kUnits, pixel = i / Tile::kUnits;
    const int row = pixel / kColumns, column = pixel % kColumns;
    const int h = top + row, w = left + column;
    const bool inside = static_cast<unsigned>(h) < static_cast<unsigned>(image.shape.h) &&
                        static_cast<unsigned>(w) < static_cast<unsigned>(image.shape.w);
    const T* const from =
        inside ? first + h * image.h_stride + w * image.w_stride + unit * 8 : image.data;
    const int at = row * kRowBytes + column * Tile::kPixelBytes + Tile::swizzled(column, unit) * 16;
    if (packs) {
      copy_16_async(shared + at, from, inside);
      continue;
    }
    Pack<T> pack;
#pragma unroll
    for (int j = 0; j < 8; ++j) pack.values[j] = inside ? from[j] : T{};
    *reinterpret_cast<Pack<T>*>(pixels + at) = pack;
  }
}

/// The weights of both layers, stage after stage, through a ring of slots in shared memory.
template <class Tile>
struct Ring {
  const char *from, *second;  // the next stage that is asked for, and the second layer's first
  std::uint32_t first, in, out;
  int left = 2 * Tile::kStagesOfLayer;

  template <class T>
  __device__ Ring(const Layer<T>& layer, const Layer<T>& next, char* slots)
      : from(reinterpret_cast<const char*>(layer.weight)),
        second(reinterpret_cast<const char*>(next.weight)),
        first(shared_address(slots)),
        in(first),
        out(first) {}

  __device__ std::uint32_t after(std::uint32_t slot) const {
    slot += Tile::kStageBytes;
    return slot == first + Tile::kSlots * Tile::kStageBytes ? first : slot;
  }

  __device__ void ask() {
    if (left == Tile::kStagesOfLayer) from = second;
    if (left > 0) conv2d_mma::load_stage<Tile::kStageBytes, Tile::kThreads>(from, in);
    --left;
    from += Tile::kStageBytes;
    in = after(in);
    commit_copies();
  }

  /// The slot of the next stage, once it is there for all threads. The one before it is used up then.
  __device__ std::uint32_t next() {
    wait_for_copies<Tile::kSlots - 2>();
    __syncthreads();
    ask();
    const std::uint32_t slot = out;
    out = after(out);
    return slot;
  }
};

/// Sums of one layer from `pixels` on, the input's, whose rows lie kRowBytes apart.
template <class T, class Tile, int kRowBytes, int kRows>
__device__ void multiply_layer(const Layer<T>& layer, const Share& share, const char* pixels,
                               Ring<Tile>& ring, float (&sum)[kRows][Tile::kColumns][4]) {
#pragma unroll
  for (int j = 0; j < Tile::kColumns; ++j) {
    float2 bias{0, 0};
    if (layer.bias != nullptr) {
      const int k = share.channel(j);
      bias = {layer.bias[k], layer.bias[k + 1]};
    }
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
      sum[row][j][0] = sum[row][j][2] = bias.x;
      sum[row][j][1] = sum[row][j][3] = bias.y;
    }
  }
  const std::uint32_t first = shared_address(pixels) + share.along_p * kRows * kRowBytes +
                              share.along_q * 16 * Tile::kPixelBytes;
#pragma unroll 1
  for (int unit = share.lane / 16; unit < Tile::kUnits; unit += 2) {
#pragma unroll 1
    for (int s = 0; s < kTaps; ++s) {
      const std::uint32_t weights = ring.next() + share.k / 8 * 256;
      const int column = share.lane % 16 + s;
      conv2d_mma::multiply_taps<T, Tile::kBlock, kRowBytes>(
          first + column * Tile::kPixelBytes + Tile::swizzled(column, unit) * 16, weights,
          share.lane, sum);
    }
  }
}

#endif  // from compute capability 8.0 on

}  // namespace mend::conv2d_pair_mma
