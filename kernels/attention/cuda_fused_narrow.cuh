// The products of 16 queries of a warp in f16 or bf16, for cuda_fused.cuh: half of TF32's bytes and mma.
//
// Scores leave an mma as the next one takes its left factor: a lane has those of keys 2t and 2t + 1, which are one
// register of 16-bit weights. Values, whose keys are summed over, come by ldmatrix.trans.
#pragma once

#include "kernels/attention/cuda_fused_parts.cuh"

namespace mend::fused_attention {

/// A head's channels in shared memory: kDepth numbers of a token, zeros behind its own, kPitch apart: 4 words mod 8, so
/// that 8 tokens' 16 bytes touch all banks.
template <class T, int kHeadDepth>
struct NarrowProducts {
  using Number = T;
  static constexpr int kDepth = kHeadDepth;
  static constexpr int kPitch = kDepth + 8;
  static constexpr bool kIsSplit = false;
  static constexpr bool kRoundsInPlace = false;
  /// The scale goes into the softmax, lest queries be rounded twice; biases are divided by it.
  static constexpr bool kScalesQueries = false;
  /// Tokens are 20 words apart with 32 channels, of which two are served together, and 12 with 16, of which four are.
  __device__ static int place_of_eight(int i) {
    if (kDepth == 32) return (i & 1) << 2 | i >> 1;
    return kDepth == 16 ? (i & 3) << 1 | i >> 2 : i;
  }

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

  using Queries = std::uint32_t[kDepth / 16][4];
  using Scores = float[kKeyGroups][4];
  using Sums = float[kDepth / 8][4];

  /// The rows of q that a warp multiplies, as fragments of 16 channels.
  __device__ static void load_queries(std::uint32_t rows, int lane, float, Queries& q) {
    // Matrices: tokens 0 to 7 and 8 to 15 of channels 0 to 7, then of 8 to 15.
    const std::uint32_t at = rows + (lane % 16 * kPitch + lane / 16 * 8) * sizeof(T);
    for_each_index<kDepth / 16>(
        [&](auto step) { load_matrices<step * 16 * sizeof(T)>(q[step], at); });
  }

  /// score += q · kᵀ for the keys of a tile.
  __device__ static void multiply_keys(const Queries& q, std::uint32_t keys, int lane,
                                       Scores& score) {
    // Matrices: channels 0 to 7 and 8 to 15 of 8 keys, then of the next 8.
    const std::uint32_t at =
        keys + ((lane % 8 + lane / 16 * 8) * kPitch + lane / 8 % 2 * 8) * sizeof(T);
    for_each_index<kDepth / 16>([&](auto step) {
      for_each_index<kKeyGroups / 2>([&](auto j) {
        std::uint32_t b[4];
        load_matrices<(j * 16 * kPitch + step * 16) * sizeof(T)>(b, at);
        multiply_add<T>(score[2 * j], q[step], b[0], b[1]);
        multiply_add<T>(score[2 * j + 1], q[step], b[2], b[3]);
      });
    });
  }

  __device__ static void weigh(Softmax& softmax, Scores& score, float (&shrink)[2], float scale) {
    softmax.weigh<false>(score, shrink, scale, [](float weight) { return weight; });
  }

  /// Two numbers of T, the first in the lower half.
  __device__ static std::uint32_t pair(float low, float high) {
    return from_float<T>(low).bits | static_cast<std::uint32_t>(from_float<T>(high).bits) << 16;
  }

  /// sum += weight · v for the keys of a tile.
  __device__ static void multiply_values(const Scores& weight, const T* values, int lane,
                                         Sums& sum) {
    // Matrices: keys 0 to 7 and 8 to 15 of 8 channels, then of the next 8.
    const std::uint32_t at =
        shared_address(values) + (lane % 16 * kPitch + lane / 16 * 8) * sizeof(T);
    for_each_index<kKeyGroups / 2>([&](auto j) {
      const float(&low)[4] = weight[2 * j], (&high)[4] = weight[2 * j + 1];
      const std::uint32_t a[4] = {pair(low[0], low[1]), pair(low[2], low[3]),
                                  pair(high[0], high[1]), pair(high[2], high[3])};
      for_each_index<kDepth / 16>([&](auto two) {
        std::uint32_t b[4];
        load_transposed_matrices<(j * 16 * kPitch + two * 16) * sizeof(T)>(b, at);
        multiply_add<T>(sum[2 * two], a, b[0], b[1]);
        multiply_add<T>(sum[2 * two + 1], a, b[2], b[3]);
      });
    });
  }

  /// Puts the sums of a warp's queries, divided by the totals of their weights, into its rows.
  __device__ static void store_rows(const Sums& sum, const float (&total)[2], T* rows, int lane) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float share = 1 / total[half];
      T* const row = rows + (lane / 4 + 8 * half) * kPitch + lane % 4 * 2;
#pragma unroll
      for (int c = 0; c < kDepth / 8; ++c) {
        *reinterpret_cast<std::uint32_t*>(row + 8 * c) =
            pair(sum[c][2 * half] * share, sum[c][2 * half + 1] * share);
      }
    }
  }

#endif  // from compute capability 8.0 on
};

}  // namespace mend::fused_attention
