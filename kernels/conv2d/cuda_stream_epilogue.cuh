// How the sums of a tile of cuda_tf32 or cuda_f16 leave: from registers, through the epilogue, to y.
#pragma once

#include "kernels/conv2d/cuda_slope.cuh"
#include "kernels/conv2d/cuda_stream_tile.cuh"
#include "kernels/cuda/run.cuh"

namespace mend::conv2d_stream {

/// What a lane holds of the tile: of pixels (p + row, q) and (p + row + half_rows, q + half_columns)
/// channels k + Tile::channel(j) and the next. A quad of lanes writes whole sectors of 32 bytes.
struct Share {
  int n, p, q, k;
};

/// Whether y has the pixel of (half, row).
template <class T>
__device__ bool has(const Arguments<T>& a, const Share& share, int half, int row) {
  return share.p + half * a.half_rows + row < a.y.shape.h &&
         share.q + half * a.half_columns < a.y.shape.w;
}
template <class T, class Number>
__device__ T* at(const View<T>& view, const Arguments<Number>& a, const Share& share, int half,
                 int row, int k) {
  return pixel_of(view, share.n, share.p + half * a.half_rows + row,
                  share.q + half * a.half_columns) +
         k;
}

/// y = scale · activation(z) + residual where the activation is a slope below 0, else y = z.
template <class Tile>
__device__ void store_sums(const Arguments<typename Tile::Number>& a, const Share& share,
                           bool finishes, const float (&sum)[Tile::kRows][Tile::kColumns][4]) {
  using T = typename Tile::Number;
  constexpr int kRun = Tile::kRun, kOfRun = kRun / 2;  // mma of a run
  const int K = a.y.shape.c;
  const ActivationKind kind = a.op.activation.kind;
  const bool adds = finishes && a.residual.data != nullptr;
  const float scale = finishes ? a.op.scale : 1.0f;
#pragma unroll
  for (int j = 0; j < Tile::kColumns; j += kOfRun) {
    const int k = share.k + Tile::channel(j);
    if (k >= K) continue;
    const int count = min(kRun, K - k);
    float slope[kRun];
#pragma unroll
    for (int i = 0; i < kRun; ++i) {
      slope[i] = finishes && kind == ActivationKind::kLeakyRelu ? a.op.activation.parameter : 1.0f;
      if (finishes && kind == ActivationKind::kPrelu) {
        slope[i] = a.slope[a.op.shared_slope || i >= count ? 0 : k + i];
      }
    }
    // All of them are asked for before the first is needed.
    Run<T, kRun> residual[2][Tile::kRows] = {};
    if (adds) {
#pragma unroll
      for (int i = 0; i < 2 * Tile::kRows; ++i) {
        const int half = i / Tile::kRows, row = i % Tile::kRows;
        if (!has(a, share, half, row)) continue;
        residual[half][row] = load_run<T, kRun>(at(a.residual, a, share, half, row, k),
                                                a.residual_runs && count == kRun, count);
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
      Run<T, kRun> y;
#pragma unroll
      for (int e = 0; e < kRun; ++e) {
        const float z = sum[row][j + e / 2][half * 2 + e % 2];
        y.values[e] = from_float<T>(finished(z, slope[e], as_float(residual[half][row].values[e])));
      }
      store_run(at(a.y, a, share, half, row, k), y, a.y_runs && count == kRun, count);
    }
  }
}

/// The long activations, one copy of them: the sums lie in y, each lane finishes those that it wrote.
template <class Tile>
__device__ void finish_stored(const Arguments<typename Tile::Number>& a, const Share& share) {
  using T = typename Tile::Number;
  const int K = a.y.shape.c;
#pragma unroll 1
  for (int i = 0; i < 2 * Tile::kRows * Tile::kColumns * 2; ++i) {
    const int k = share.k + Tile::channel(i / 2 % Tile::kColumns) + i % 2;
    const int row = i / 2 / Tile::kColumns % Tile::kRows;
    const int half = i / 2 / Tile::kColumns / Tile::kRows;
    if (k >= K || !has(a, share, half, row)) continue;
    T* const y = at(a.y, a, share, half, row, k);
    float value = a.op.scale * activate(a.op.activation, as_float(*y), 0);
    if (a.residual.data != nullptr) value += as_float(*at(a.residual, a, share, half, row, k));
    *y = from_float<T>(value);
  }
}

}  // namespace mend::conv2d_stream
