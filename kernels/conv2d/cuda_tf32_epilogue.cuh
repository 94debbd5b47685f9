// How the sums of cuda_tf32's tile leave: from registers, through the epilogue, to y.
#pragma once

#include "kernels/conv2d/cuda_slope.cuh"
#include "kernels/conv2d/cuda_tf32_tile.cuh"
#include "kernels/cuda/pair.cuh"

namespace mend::conv2d_tf32 {

/// What a lane holds of the tile: of pixels (p + row, q) and (p + row + half_rows, q + half_columns)
/// channels k + 8·j and the next. A quad of lanes writes whole sectors of 32 bytes.
struct Share {
  int n, p, q, k;
};

/// Whether y has the pixel of (half, row).
__device__ inline bool has(const Arguments& a, const Share& share, int half, int row) {
  return share.p + half * a.half_rows + row < a.y.shape.h &&
         share.q + half * a.half_columns < a.y.shape.w;
}
template <class T>
__device__ T* at(const View<T>& view, const Arguments& a, const Share& share, int half, int row,
                 int k) {
  return pixel_of(view, share.n, share.p + half * a.half_rows + row,
                  share.q + half * a.half_columns) +
         k;
}

/// y = scale · activation(z) + residual where the activation is a slope below 0, else y = z.
template <class Tile>
__device__ void store_sums(const Arguments& a, const Share& share, bool finishes,
                           const float (&sum)[Tile::kRows][Tile::kColumns][4]) {
  const int K = a.y.shape.c;
  const ActivationKind kind = a.op.activation.kind;
  const bool adds = finishes && a.residual.data != nullptr;
  const float scale = finishes ? a.op.scale : 1.0f;
#pragma unroll
  for (int j = 0; j < Tile::kColumns; ++j) {
    const int k = share.k + j * 8;
    if (k >= K) continue;
    const bool both = k + 1 < K;
    float2 slope{1, 1};
    if (finishes && kind == ActivationKind::kLeakyRelu) {
      slope.x = slope.y = a.op.activation.parameter;
    }
    if (finishes && kind == ActivationKind::kPrelu) {
      slope.x = a.slope[a.op.shared_slope ? 0 : k];
      slope.y = a.slope[a.op.shared_slope || !both ? 0 : k + 1];
    }
    // All of them are asked for before the first is needed.
    float2 residual[2][Tile::kRows] = {};
    if (adds) {
#pragma unroll
      for (int i = 0; i < 2 * Tile::kRows; ++i) {
        const int half = i / Tile::kRows, row = i % Tile::kRows;
        if (!has(a, share, half, row)) continue;
        residual[half][row] =
            load_pair(at(a.residual, a, share, half, row, k), a.residual_pairs, both);
      }
    }
    const auto finished = [&](float z, float below, float rest) {
      if (z < 0) z = finishes && kind == ActivationKind::kRelu ? 0 : below * z;
      return adds ? scale * z + rest : scale * z;
    };
#pragma unroll
    for (int i = 0; i < 2 * Tile::kRows; ++i) {
      const int half = i / Tile::kRows, row = i % Tile::kRows;
      if (!has(a, share, half, row)) continue;
      const float2 rest = residual[half][row];
      const float2 y{finished(sum[row][j][half * 2], slope.x, rest.x),
                     finished(sum[row][j][half * 2 + 1], slope.y, rest.y)};
      store_pair(at(a.y, a, share, half, row, k), y, a.y_pairs, both);
    }
  }
}

/// The long activations, one copy of them: the sums lie in y, each lane finishes those that it wrote.
template <class Tile>
__device__ void finish_stored(const Arguments& a, const Share& share) {
  const int K = a.y.shape.c;
#pragma unroll 1
  for (int i = 0; i < 2 * Tile::kRows * Tile::kColumns * 2; ++i) {
    const int k = share.k + i / 2 % Tile::kColumns * 8 + i % 2;
    const int row = i / 2 / Tile::kColumns % Tile::kRows;
    const int half = i / 2 / Tile::kColumns / Tile::kRows;
    if (k >= K || !has(a, share, half, row)) continue;
    float* const y = at(a.y, a, share, half, row, k);
    float value = a.op.scale * activate(a.op.activation, *y, 0);
    if (a.residual.data != nullptr) value += *at(a.residual, a, share, half, row, k);
    *y = value;
  }
}

}  // namespace mend::conv2d_tf32
