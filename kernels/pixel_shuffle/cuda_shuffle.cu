// Depth to space and back, through shared memory.
//
// Memory traffic is all there is, if both sides move whole lines. A block has a tile of small pixels from
// one row. On the small side they are one stretch; on the large side they are r stretches, one in each
// of r rows. Between the two the tile lies in shared memory in the order of the small side. There the
// numbers that are neighbours in a large row lie r² apart, so every 32 numbers are followed by a gap of
// one: then powers of two as distances do not meet in one bank.
#include <algorithm>

#include "engine/cuda/check.h"
#include "kernels/cuda/divide.cuh"
#include "kernels/cuda/element.cuh"
#include "kernels/pixel_shuffle/cuda.h"

namespace mend {
namespace {

constexpr int kThreads = 256;
constexpr int kTile =
    4096;  // numbers of a tile: 16 KB, so 8 blocks fill a multiprocessor's threads

enum class Direction { kShuffle, kUnshuffle };

/// What of the small image a block has: all of `channels` where a small pixel fits a tile, else some.
struct Tiling {
  int factor;
  int pixels, channels;  ///< of a tile; channels are those of the large image
  int across, deep;      ///< tiles of a row, tiles of a pixel
  FastDivider by_channels, by_block, by_factor;  ///< of whole tiles' channels, channels·r², factor
  bool small_line, large_line;    ///< whether a tile's pixels follow each other without gaps
  bool small_packs, large_packs;  ///< whether 16 bytes of such a line can be moved at once
};

__device__ int in_shared(int index) { return index + index / 32; }

/// Moves `count` numbers between a stretch of memory and the tile, the whole block together. at(i) is the
/// place of number i in the tile; address(i) its place in memory, of lines that have gaps.
template <bool kLoad, class T, class Number, class At, class Address>
__device__ void move(T* tile, Number* line, int count, bool is_line, bool in_packs, const At& at,
                     const Address& address) {
  int done = 0;
  if (in_packs) {
    using Unit = std::conditional_t<kLoad, const Pack<T>, Pack<T>>;
    constexpr int kPack = Pack<T>::kCount;
    done = count / kPack * kPack;
#pragma unroll 4
    for (int i = threadIdx.x * kPack; i < done; i += kThreads * kPack) {
      Unit& there = *reinterpret_cast<Unit*>(line + i);
      if constexpr (kLoad) {
        const Pack<T> pack = there;
#pragma unroll
        for (int j = 0; j < kPack; ++j) tile[at(i + j)] = pack.values[j];
      } else {
        Pack<T> pack;
#pragma unroll
        for (int j = 0; j < kPack; ++j) pack.values[j] = tile[at(i + j)];
        there = pack;
      }
    }
  }
#pragma unroll 4
  for (int i = done + threadIdx.x; i < count; i += kThreads) {
    Number& there = is_line ? line[i] : *address(i);
    if constexpr (kLoad) {
      tile[at(i)] = there;
    } else {
      there = tile[at(i)];
    }
  }
}

template <Direction kDirection, class Small, class Large>
__global__ void __launch_bounds__(kThreads)
    shuffle(Tiling tiling, View<Small> small, View<Large> large) {
  using T = std::remove_const_t<Small>;
  __shared__ T tile[kTile + kTile / 32];
  constexpr bool kShuffles = kDirection == Direction::kShuffle;
  const int r = tiling.factor, W = small.shape.w, C = large.shape.c;
  unsigned task = blockIdx.x;
  const int w0 = static_cast<int>(task % tiling.across) * tiling.pixels;
  task /= tiling.across;
  const int c0 = static_cast<int>(task % tiling.deep) * tiling.channels;
  task /= tiling.deep;
  const int h = static_cast<int>(task % small.shape.h), n = static_cast<int>(task / small.shape.h);
  const int pixels = min(tiling.pixels, W - w0), channels = min(tiling.channels, C - c0);
  const int block = channels * r * r;  // numbers of a small pixel in this tile

  // The last tile of a deep pixel has fewer channels than the dividers know, but then it is one pixel.
  const auto move_small = [&] {
    Small* line = pixel_of(small, n, h, w0) + c0 * r * r;
    const auto address = [&](int i) {
      if (tiling.deep > 1) return line + i;
      const auto [w, k] = tiling.by_block(i);
      return line + w * small.w_stride + k;
    };
    move<kShuffles>(
        tile, line, pixels * block, tiling.small_line, tiling.small_packs,
        [](int i) { return in_shared(i); }, address);
  };
  const auto move_large = [&] {
    for (int i = 0; i < r; ++i) {
      Large* line = pixel_of(large, n, h * r + i, w0 * r) + c0;
      const auto place = [&](int k) {
        if (channels == tiling.channels) return tiling.by_channels(k);
        return FastDivider::Result{k / channels, k % channels};
      };
      const auto at = [&](int k) {
        const auto [q, c] = place(k);
        const auto [w, j] = tiling.by_factor(q);
        return in_shared(w * block + c * r * r + i * r + j);
      };
      const auto address = [&](int k) {
        const auto [q, c] = place(k);
        return line + q * large.w_stride + c;
      };
      move<!kShuffles>(tile, line, pixels * r * channels, tiling.large_line, tiling.large_packs, at,
                       address);
    }
  };
  if constexpr (kShuffles) {
    move_small();
    __syncthreads();
    move_large();
  } else {
    move_large();
    __syncthreads();
    move_small();
  }
}

/// Whether tiles that start at multiples of a Pack's numbers of a row may be moved in Packs.
template <class T>
bool lines_pack(const View<T>& view) {
  constexpr int kPack = Pack<std::remove_const_t<T>>::kCount;
  return reinterpret_cast<std::uintptr_t>(view.data) % 16 == 0 &&
         (view.shape.h == 1 || view.h_stride % kPack == 0) &&
         (view.shape.n == 1 || view.n_stride % kPack == 0);
}

template <class Small, class Large>
Tiling tiling_of(int r, const View<Small>& small, const View<Large>& large) {
  constexpr int kPack = Pack<std::remove_const_t<Small>>::kCount;
  Tiling tiling{};
  const int C = large.shape.c, block = small.shape.c;
  tiling.factor = r;
  if (block <= kTile) {
    tiling.channels = C;
    tiling.pixels = std::min(kTile / block, small.shape.w);
    // Tiles start at multiples of 16 bytes.
    if (tiling.pixels < small.shape.w && tiling.pixels > kPack) {
      tiling.pixels = tiling.pixels / kPack * kPack;
    }
  } else {
    tiling.channels = kTile / (r * r);
    if (tiling.channels > kPack) tiling.channels = tiling.channels / kPack * kPack;
    tiling.pixels = 1;
  }
  tiling.across = (small.shape.w + tiling.pixels - 1) / tiling.pixels;
  tiling.deep = (C + tiling.channels - 1) / tiling.channels;
  tiling.by_channels = FastDivider(tiling.channels);
  tiling.by_block = FastDivider(tiling.channels * r * r);
  tiling.by_factor = FastDivider(r);
  tiling.small_line = tiling.deep > 1 || small.w_stride == block;
  tiling.large_line = tiling.deep == 1 && large.w_stride == C;
  const auto starts_pack = [&](std::int64_t pixel, int channels) {
    return (tiling.across == 1 || tiling.pixels * pixel % kPack == 0) &&
           (tiling.deep == 1 || channels % kPack == 0);
  };
  tiling.small_packs = tiling.small_line && lines_pack(small) &&
                       starts_pack(small.w_stride, tiling.channels * r * r);
  tiling.large_packs =
      tiling.large_line && lines_pack(large) && starts_pack(large.w_stride * r, tiling.channels);
  return tiling;
}

template <Direction kDirection, class Small, class Large>
void launch(int factor, const View<Small>& small, const View<Large>& large, cudaStream_t stream,
            std::string_view name) {
  const Tiling tiling = tiling_of(factor, small, large);
  const std::int64_t blocks =
      std::int64_t{small.shape.n} * small.shape.h * tiling.deep * tiling.across;
  shuffle<kDirection><<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(tiling, small, large);
  cuda_check(cudaGetLastError(), name);
}

}  // namespace

template <class Number>
void launch_pixel_shuffle(int factor, const View<const Number>& small, const View<Number>& large,
                          cudaStream_t stream) {
  launch<Direction::kShuffle>(factor, small, large, stream, "pixel_shuffle/cuda");
}
template <class Number>
void launch_pixel_unshuffle(int factor, const View<const Number>& large, const View<Number>& small,
                            cudaStream_t stream) {
  launch<Direction::kUnshuffle>(factor, small, large, stream, "pixel_unshuffle/cuda");
}
template void launch_pixel_shuffle(int, const View<const float>&, const View<float>&, cudaStream_t);
template void launch_pixel_shuffle(int, const View<const Half>&, const View<Half>&, cudaStream_t);
template void launch_pixel_unshuffle(int, const View<const float>&, const View<float>&,
                                     cudaStream_t);
template void launch_pixel_unshuffle(int, const View<const Half>&, const View<Half>&, cudaStream_t);

}  // namespace mend
