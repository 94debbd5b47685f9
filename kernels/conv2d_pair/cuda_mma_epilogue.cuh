// What becomes of the sums of conv2d_pair/cuda_mma: they are activated in registers, and written to shared memory as
// pixels of the middle or of y.
#pragma once

#include "kernels/conv2d/cuda_slope.cuh"
#include "kernels/conv2d_pair/cuda_mma_tile.cuh"

namespace mend::conv2d_pair_mma {

/// The activations that are a slope below 0.
template <class T, class Tile, int kRows>
__device__ void slope_sums(const Layer<T>& layer, const Share& share,
                           float (&sum)[kRows][Tile::kColumns][4]) {
  const ActivationKind kind = layer.activation.kind;
  if (kind == ActivationKind::kNone) return;
#pragma unroll
  for (int j = 0; j < Tile::kColumns; ++j) {
    float slope[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      slope[i] = kind == ActivationKind::kPrelu
                     ? layer.slope[layer.shared_slope ? 0 : share.channel(j) + i]
                     : layer.activation.parameter;
    }
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float& z = sum[row][j][i];
        if (z < 0) z = kind == ActivationKind::kRelu ? 0 : slope[i % 2] * z;
      }
    }
  }
}

/// All others: the rows come to the front in turn, a row's sums go through shared memory, and so one copy of the long
/// formulas serves them all.
template <class T, class Tile, int kRows>
__device__ void activate_rows(const Layer<T>& layer, float* staged,
                              float (&sum)[kRows][Tile::kColumns][4]) {
  float* const own = staged + threadIdx.x;
#pragma unroll 1
  for (int turn = 0; turn < kRows; ++turn) {
#pragma unroll
    for (int i = 0; i < Tile::kSumsOfRow; ++i) own[i * Tile::kThreads] = sum[0][i / 4][i % 4];
#pragma unroll
    for (int row = 0; row + 1 < kRows; ++row) {
#pragma unroll
      for (int i = 0; i < Tile::kSumsOfRow; ++i)
        sum[row][i / 4][i % 4] = sum[row + 1][i / 4][i % 4];
    }
#pragma unroll 1
    for (int i = 0; i < Tile::kSumsOfRow; ++i) {
      float& z = own[i * Tile::kThreads];
      z = activate(layer.activation, z, 0);
    }
#pragma unroll
    for (int i = 0; i < Tile::kSumsOfRow; ++i) {
      sum[kRows - 1][i / 4][i % 4] = own[i * Tile::kThreads];
    }
  }
}

/// activation(z) in place. `pixels`: where nobody reads any more.
template <class T, class Tile, int kRows>
__device__ void activate_sums(const Layer<T>& layer, const Share& share, char* pixels,
                              float (&sum)[kRows][Tile::kColumns][4]) {
  if (is_a_slope(layer.activation.kind)) {
    slope_sums<T, Tile>(layer, share, sum);
  } else {
    activate_rows<T, Tile>(layer, reinterpret_cast<float*>(pixels + Tile::kMiddleBytes), sum);
  }
}

/// Two neighbouring channels of a pixel.
template <class T>
struct alignas(4) Two {
  T even, odd;
};

/// Calls write(two, row, column, even, odd) for all sums of a lane: pixel (row, column) of the tile, and where its
/// two channels lie in `pixels`, a middle.
template <class T, class Tile, int kRows, class Write>
__device__ void for_each_two(const Share& share, char* pixels,
                             const float (&sum)[kRows][Tile::kColumns][4], const Write& write) {
  const int left = share.along_q * 16 + share.lane / 4;
#pragma unroll
  for (int j = 0; j < Tile::kColumns; ++j) {
    // The same for the pixel 8 columns on.
    const int in_pixel = Tile::swizzled(share.lane / 4, share.k / 8 + j) * 16 + share.lane % 4 * 4;
#pragma unroll
    for (int i = 0; i < 2 * kRows; ++i) {
      const int row = share.along_p * kRows + i / 2, column = left + i % 2 * 8;
      char* const at = pixels + row * Tile::kMiddleRowBytes + column * Tile::kPixelBytes + in_pixel;
      const float(&z)[4] = sum[i / 2][j];
      write(*reinterpret_cast<Two<T>*>(at), row, column, z[i % 2 * 2], z[i % 2 * 2 + 1]);
    }
  }
}

/// The middle: rounded, and zeros beyond the image's border, as the second layer's padding wants them.
template <class T, class Tile>
__device__ void write_middle(const Arguments<T>& a, const Origin& origin, const Share& share,
                             char* pixels,
                             const float (&sum)[Tile::kFirstRows][Tile::kColumns][4]) {
  const auto H = static_cast<unsigned>(a.y.shape.h), W = static_cast<unsigned>(a.y.shape.w);
  for_each_two<T, Tile>(share, pixels, sum,
                        [&](Two<T>& two, int row, int column, float even, float odd) {
                          const bool inside = static_cast<unsigned>(origin.p - 1 + row) < H &&
                                              static_cast<unsigned>(origin.q - 1 + column) < W;
                          two = {from_float<T>(inside ? even : 0), from_float<T>(inside ? odd : 0)};
                        });
}

/// y's pixels where the middle was: scale · activation(z) + residual. The residual is there already, if there is one.
template <class T, class Tile>
__device__ void write_result(const Arguments<T>& a, const Share& share, char* pixels,
                             const float (&sum)[Tile::kSecondRows][Tile::kColumns][4]) {
  const bool adds = a.residual.data != nullptr;
  const float scale = a.scale;
  for_each_two<T, Tile>(share, pixels, sum, [&](Two<T>& two, int, int, float even, float odd) {
    if (adds) {
      even = scale * even + as_float(two.even);
      odd = scale * odd + as_float(two.odd);
    } else {
      even *= scale;
      odd *= scale;
    }
    two = {from_float<T>(even), from_float<T>(odd)};
  });
}

/// From shared memory to y, 16 bytes a lane.
template <class T, class Tile>
__device__ void store_pixels(const Arguments<T>& a, const Origin& origin, const char* pixels) {
  T* const image = a.y.data + origin.n * a.y.n_stride;
#pragma unroll 2
  for (int i = threadIdx.x; i < Tile::kTileRows * Tile::kTileColumns * Tile::kUnits;
       i += Tile::kThreads) {
    const int unit = i % Tile::kUnits, pixel = i / Tile::kUnits;
    const int row = pixel / Tile::kTileColumns, column = pixel % Tile::kTileColumns;
    const int p = origin.p + row, q = origin.q + column;
    if (p >= a.y.shape.h || q >= a.y.shape.w) continue;
    const auto& pack = *reinterpret_cast<const Pack<T>*>(pixels + row * Tile::kMiddleRowBytes +
                                                         column * Tile::kPixelBytes +
                                                         Tile::swizzled(column, unit) * 16);
    T* const to = image + p * a.y.h_stride + q * a.y.w_stride + unit * 8;
    if (a.y_packs) {
      *reinterpret_cast<Pack<T>*>(to) = pack;
      continue;
    }
#pragma unroll
    for (int j = 0; j < 8; ++j) to[j] = pack.values[j];
  }
}

}  // namespace mend::conv2d_pair_mma
