// How the sums of cuda_mma's tile leave: from shared memory, through the epilogue, to y.
#pragma once

#include "kernels/conv2d/cuda_mma_tile.cuh"
#include "kernels/conv2d/cuda_slope.cuh"

namespace mend::conv2d_mma {

/// activation(z) in place: one copy of the long formulas, a channel a lane.
template <class T, class Tile>
__device__ void activate_sums(const Arguments<T>& a, float* sums) {
  const int channel = threadIdx.x % Tile::kBlock;
#pragma unroll 1
  for (int i = threadIdx.x / Tile::kBlock; i < Tile::kPassPixels; i += kThreads / Tile::kBlock) {
    float& z = sums[i * Tile::kSumStride + channel];
    z = activate(a.op.activation, z, 0);
  }
}

/// y = scale · activation(z) + residual, eight channels of a pixel at a time.
template <class T, class Tile>
__device__ void finish(const Arguments<T>& a, const Origin& origin, int pass, const float* sums,
                       bool activated) {
  constexpr int kGroups = Tile::kBlock / 8;
  const int K = a.y.shape.c;
  const int group = threadIdx.x % kGroups, k = origin.k_block * Tile::kBlock + group * 8;
  if (k >= K) return;
  const ActivationKind kind = activated ? ActivationKind::kNone : a.op.activation.kind;
  float slope[8];  // of the numbers below 0
#pragma unroll
  for (int j = 0; j < 8; ++j) {
    const int own = min(k + j, K - 1);
    slope[j] = kind == ActivationKind::kPrelu       ? a.slope[a.op.shared_slope ? 0 : own]
               : kind == ActivationKind::kLeakyRelu ? a.op.activation.parameter
                                                    : 1.0f;
  }
  const bool whole = k + 8 <= K;
  // Half of the lanes read their upper four sums first: eight lanes then touch all banks.
  const int first = kGroups == 8 ? group / 4 * 4 : group % 2 * 4;
#pragma unroll 1
  for (int i = threadIdx.x / kGroups; i < Tile::kPassPixels; i += kThreads / kGroups) {
    const int row = i / kTileColumns;  // of the pass: kPassRows of one warp after those of another
    Origin at = origin;
    move_down(a, at,
              row / Tile::kPassRows * Tile::kRows + pass * Tile::kPassRows + row % Tile::kPassRows);
    at.q += i % kTileColumns;
    if (at.n >= a.y.shape.n || at.p >= a.y.shape.h || at.q >= a.y.shape.w) continue;
    const float* z = sums + i * Tile::kSumStride + group * 8;
    const float4 one = *reinterpret_cast<const float4*>(z + first);
    const float4 other = *reinterpret_cast<const float4*>(z + 4 - first);
    const float4 low = first == 0 ? one : other, high = first == 0 ? other : one;
    float value[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      if (value[j] < 0) value[j] = kind == ActivationKind::kRelu ? 0 : slope[j] * value[j];
      value[j] *= a.op.scale;
    }
    if (a.residual.data != nullptr) {
      const T* from = pixel_of(a.residual, at.n, at.p, at.q) + k;
      Pack<T> residual;
      if (a.residual_packs && whole) {
        residual = *reinterpret_cast<const Pack<T>*>(from);
      } else {
#pragma unroll
        for (int j = 0; j < 8; ++j) residual.values[j] = k + j < K ? from[j] : T{};
      }
#pragma unroll
      for (int j = 0; j < 8; ++j) value[j] += as_float(residual.values[j]);
    }
    Pack<T> result;
#pragma unroll
    for (int j = 0; j < 8; ++j) result.values[j] = from_float<T>(value[j]);
    T* to = pixel_of(a.y, at.n, at.p, at.q) + k;
    if (a.y_packs && whole) {
      *reinterpret_cast<Pack<T>*>(to) = result;
    } else {
#pragma unroll
      for (int j = 0; j < 8; ++j) {
        if (k + j < K) to[j] = result.values[j];
      }
    }
  }
}

}  // namespace mend::conv2d_mma
