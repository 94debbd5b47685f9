// How the products of cuda_winograd4's tile leave: through shared memory, y = Aᵀ M A, and the epilogue.
#pragma once

#include "kernels/conv2d/cuda_slope.cuh"
#include "kernels/conv2d/cuda_winograd4_tile.cuh"

namespace mend::conv2d_winograd4 {

constexpr int kPassOutputs = 8, kPasses = kBlock / kPassOutputs;
constexpr int kItems = kTiles * kPassOutputs;  // pairs of a tile and an output, of a pass
static_assert(kPositions * kItems <= kVFloats && kItems <= kThreads);

/// y[4] = Aᵀ m[6]
__device__ inline void transform_output(const float (&m)[kPatch], float (&y)[4]) {
  const float even = m[1] + m[2], odd = m[1] - m[2];
  const float even2 = m[3] + m[4], odd2 = m[3] - m[4];
  y[0] = m[0] + even + even2;
  y[1] = fmaf(2, odd2, odd);
  y[2] = fmaf(4, even2, even);
  y[3] = fmaf(8, odd2, odd) + m[5];
}

/// The sums of outputs 8·pass to +7 into shared memory: [kPositions][tile % 4][tile / 4][8].
__device__ inline void share_sums(const Sums& sum, const LaneShare& share, int position, int pass,
                                  float* M) {
#pragma unroll
  for (int e = 0; e < kPasses; ++e) {
    if (e != pass) continue;
#pragma unroll
    for (int i = 0; i < kWarpPositions; ++i)
#pragma unroll
      for (int t = 0; t < kLaneTiles; ++t) {
        float* to = M + (position + i) * kItems +
                    (t * (kTiles / kLaneTiles) + share.tiles) * kPassOutputs + share.outputs * 2;
        *reinterpret_cast<float2*>(to) = {sum[i][t][2 * e], sum[i][t][2 * e + 1]};
      }
  }
}

/// y = scale · activation(z) + residual of one tile and output k, z = Aᵀ M A + bias. own: M of the two, which nobody else
/// reads; positions are kItems apart.
__device__ inline void finish(const Arguments& a, const Origin& tile, int k, float* own) {
  float half[4][kPatch], z[4][4];
#pragma unroll
  for (int j = 0; j < kPatch; ++j) {
    float m[kPatch], column[4];
#pragma unroll
    for (int i = 0; i < kPatch; ++i) m[i] = own[(i * kPatch + j) * kItems];
    transform_output(m, column);
#pragma unroll
    for (int i = 0; i < 4; ++i) half[i][j] = column[i];
  }
  const float bias = a.bias != nullptr ? a.bias[k] : 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    transform_output(half[i], z[i]);
#pragma unroll
    for (float& one : z[i]) one += bias;
  }
  const ActivationKind kind = a.op.activation.kind;
  if (!is_a_slope(kind)) {  // one copy of the long formulas
#pragma unroll
    for (int e = 0; e < 16; ++e) own[e * kItems] = z[e / 4][e % 4];
#pragma unroll 1
    for (int e = 0; e < 16; ++e) own[e * kItems] = activate(a.op.activation, own[e * kItems], 0);
#pragma unroll
    for (int e = 0; e < 16; ++e) z[e / 4][e % 4] = own[e * kItems];
  }
  float below = 1;  // the factor of numbers below 0
  if (kind == ActivationKind::kLeakyRelu) below = a.op.activation.parameter;
  if (kind == ActivationKind::kPrelu) below = a.slope[a.op.shared_slope ? 0 : k];
  const bool cuts = kind == ActivationKind::kRelu, adds = a.residual.data != nullptr;
  const float* residual = adds ? pixel_of(a.residual, tile.n, tile.p, tile.q) + k : nullptr;
  float* y = pixel_of(a.y, tile.n, tile.p, tile.q) + k;
  const int y_stride = static_cast<int>(a.y.w_stride);
  const int residual_stride = static_cast<int>(a.residual.w_stride);
  const int columns = a.y.shape.w - tile.q;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (tile.p + i >= a.y.shape.h) return;
    float rest[4] = {};  // all of them are asked for before the first is needed
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (adds && j < columns) rest[j] = residual[j * residual_stride];
    }
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      float value = z[i][j];
      if (value < 0) value = cuts ? 0 : below * value;
      if (j < columns) y[j * y_stride] = fmaf(a.op.scale, value, rest[j]);
    }
    residual += adds ? a.residual.h_stride : 0;
    y += a.y.h_stride;
  }
}

/// A pass's outputs: a thread takes one of them in one tile. M: as share_sums left it.
__device__ inline void finish_pass(const Arguments& a, int first_square, int k_block, int pass,
                                   float* M) {
  if (threadIdx.x >= kItems) return;
  const int k = k_block * kBlock + pass * kPassOutputs + threadIdx.x % kPassOutputs;
  const int at = threadIdx.x / kPassOutputs;  // (tile % 4, tile / 4)
  const int column = at / (kTiles / kLaneTiles), row = at % (kTiles / kLaneTiles);
  const int square = first_square + row / kTilesOfSide;
  if (k >= a.y.shape.c || square >= a.squares) return;
  Origin tile = origin_of(a, square);
  tile.p += row % kTilesOfSide * 4;
  tile.q += column * 4;
  if (tile.p >= a.y.shape.h || tile.q >= a.y.shape.w) return;
  finish(a, tile, k, M + threadIdx.x);
}

}  // namespace mend::conv2d_winograd4
