// One stage of a 3x3 convolution on tensor cores: 16 channels at one shift s, all three r. cuda_mma.cu has
// the figure.
#pragma once

#include "kernels/conv2d/cuda.h"
#include "kernels/cuda/tensor_core.cuh"

namespace mend::conv2d_mma {

constexpr int kTaps = 3;  // in each direction
constexpr int kDepth = kConv2dCudaMmaDepth;

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

/// Asks for one stage of weights, kBytes of them, from a block of kThreads; `from` is where it starts.
template <int kBytes, int kThreads>
__device__ void load_stage(const char* from, std::uint32_t slot) {
  constexpr int kRound = kThreads * 16;
  from += threadIdx.x * 16;
  slot += threadIdx.x * 16;
#pragma unroll
  for (int at = 0; at < kBytes; at += kRound) {
    if (at + kRound <= kBytes || at + threadIdx.x * 16 < kBytes) {
      copy_16_async(slot + at, from + at);
    }
  }
}

/// The stage's products, of kRows rows of 16 pixels and 8·kColumns of the kBlock outputs whose weights are there.
/// pixels: what this lane gives ldmatrix for the first row; the next lies kRowBytes further on.
/// weights: those of the first of these outputs.
template <class T, int kBlock, int kRowBytes, int kRows, int kColumns>
__device__ void multiply_taps(std::uint32_t pixels, std::uint32_t weights, int lane,
                              float (&sum)[kRows][kColumns][4]) {
  constexpr int kPairs = (kColumns + 1) / 2;  // of 8 outputs; the last may be half of one
  std::uint32_t b[kTaps][kPairs][4];
  for_each_index<kTaps * kPairs>([&](auto i) {
    constexpr int r = i / kPairs, j = i % kPairs, kOffset = (r * kBlock / 8 + j * 2) * 256;
    if constexpr (j * 2 + 1 < kColumns) {
      load_matrices<kOffset>(b[r][j], weights + lane * 16);
    } else {
      std::uint32_t half[2];
      load_matrices<kOffset>(half, weights + lane % 16 * 16);
      b[r][j][0] = half[0], b[r][j][1] = half[1];
    }
  });
  for_each_index<kRows + kTaps - 1>([&](auto h) {
    std::uint32_t a[4];
    load_matrices<h * kRowBytes>(a, pixels);
#pragma unroll
    for (int r = 0; r < kTaps; ++r) {
      const int row = h - r;
      if (row < 0 || row >= kRows) continue;
#pragma unroll
      for (int j = 0; j < kColumns; ++j) {
        multiply_add<T>(sum[row][j], a, b[r][j / 2][j % 2 * 2], b[r][j / 2][j % 2 * 2 + 1]);
      }
    }
  });
}

#endif  // from compute capability 8.0 on

}  // namespace mend::conv2d_mma
