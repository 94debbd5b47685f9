// The products of 16 queries of a warp in f32, rounded to TF32 or split into two numbers of it, for cuda_fused.cuh.
#pragma once

#include "kernels/attention/cuda_factors.cuh"
#include "kernels/attention/cuda_fused_parts.cuh"

namespace mend::fused_attention {

/// A head's channels in shared memory: kDepth floats of a token, zeros behind its own, kPitch apart. A pitch of
/// 4 mod 8 has ldmatrix (8 tokens, 16 bytes of each) and the reads of values (every other token, 32
/// neighbours of each) touch all banks.
template <int kHeadDepth, bool kSplit>
struct Tf32Products {
  using Number = float;
  static constexpr int kDepth = kHeadDepth;
  static constexpr int kPitch = kDepth + 4;
  static constexpr bool kIsSplit = kSplit;
  static constexpr bool kRoundsInPlace = !kSplit;  // keys and values, after they have come
  static constexpr bool kScalesQueries = true;
  static constexpr int kWide = kDepth % 32 == 0 ? 4 : 2;  // neighbouring values that a lane reads
  static constexpr int kRuns = kDepth / (8 * kWide);      // of 8 · kWide channels
  static constexpr int kRunChannels = 8 * kWide;
  __device__ static int place_of_eight(int i) { return kDepth == 16 ? (i & 1) << 2 | i >> 1 : i; }

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

  using Queries = float[kDepth / 8][4];
  using Scores = float[kKeyGroups][4];
  using Sums = float[kDepth / 8][4];

  /// Rounds to TF32 what this thread has copied.
  template <int kUnit>
  __device__ static void round_in_place(float* at) {
    Run<float, kUnit>& unit = *reinterpret_cast<Run<float, kUnit>*>(at);
    Run<float, kUnit> rounded = unit;
#pragma unroll
    for (float& number : rounded.values) number = rounded_to_tf32(number);
    unit = rounded;
  }

  /// The rows of q that a warp multiplies, times `scale`, as fragments of 8 channels.
  __device__ static void load_queries(std::uint32_t rows, int lane, float scale, Queries& q) {
    // Matrices: tokens 0 to 7 and 8 to 15 of channels 0 to 3, then of 4 to 7.
    const std::uint32_t at = rows + ((lane % 16) * kPitch + lane / 16 * 4) * sizeof(float);
    for_each_index<kDepth / 8>([&](auto step) {
      std::uint32_t a[4];
      load_matrices<step * 8 * sizeof(float)>(a, at);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float number = scale * __uint_as_float(a[i]);
        q[step][i] = kSplit ? number : rounded_to_tf32(number);
      }
    });
  }

  /// score += q · kᵀ for the keys of a tile.
  __device__ static void multiply_keys(const Queries& q, std::uint32_t keys, int lane,
                                       Scores& score) {
    const std::uint32_t at = keys + (lane % 8 * kPitch + lane / 8 * 4) * sizeof(float);
    for_each_index<kDepth / 16>([&](auto two) {
      const Factors<kSplit> first(q[2 * two]), second(q[2 * two + 1]);
      for_each_index<kKeyGroups>([&](auto j) {
        std::uint32_t b[4];  // of 8 keys: channels 0 to 3, 4 to 7, and the next 8
        load_matrices<(j * 8 * kPitch + two * 16) * sizeof(float)>(b, at);
        add_product(score[j], first, __uint_as_float(b[0]), __uint_as_float(b[1]));
        add_product(score[j], second, __uint_as_float(b[2]), __uint_as_float(b[3]));
      });
    });
  }

  __device__ static void weigh(Softmax& softmax, Scores& score, float (&shrink)[2], float) {
    if constexpr (kSplit) {
      softmax.weigh<true>(score, shrink, 1, [](float weight) { return weight; });
    } else {  // The total is that of the weights that multiply the values.
      softmax.weigh<false>(score, shrink, 1, [](float weight) { return rounded_to_tf32(weight); });
    }
  }

  /// sum += weight · v for the keys of a tile. As weights lie where the scores were, a lane has those of keys
  /// 2t and 2t + 1 where mma wants t and t + 4: so it gets the values in this order. And as it reads
  /// kWide neighbouring channels at once, they are those of kWide mma.
  __device__ static void multiply_values(const Scores& weight, const float* values, int lane,
                                         Sums& sum) {
    const float* const at = values + lane % 4 * 2 * kPitch + lane / 4 * kWide;
#pragma unroll
    for (int j = 0; j < kKeyGroups; ++j) {
      const Factors<kSplit> a({weight[j][0], weight[j][2], weight[j][1], weight[j][3]});
#pragma unroll
      for (int run = 0; run < kRuns; ++run) {
        using Values = Run<float, kWide>;
        const float* const from = at + j * 8 * kPitch + run * kRunChannels;
        const Values first = *reinterpret_cast<const Values*>(from);
        const Values second = *reinterpret_cast<const Values*>(from + kPitch);
#pragma unroll
        for (int i = 0; i < kWide; ++i)
          add_product(sum[run * kWide + i], a, first.values[i], second.values[i]);
      }
    }
  }

  /// Puts the sums of a warp's queries, divided by the totals of their weights, into its rows.
  __device__ static void store_rows(const Sums& sum, const float (&total)[2], float* rows,
                                    int lane) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float share = 1 / total[half];
      float* const row = rows + (lane / 4 + 8 * half) * kPitch + lane % 4 * 2 * kWide;
#pragma unroll
      for (int run = 0; run < kRuns; ++run)
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          float* const to = row + run * kRunChannels + e * kWide;
          const auto value = [&](int i) { return sum[run * kWide + i][2 * half + e] * share; };
          if constexpr (kWide == 4) {
            *reinterpret_cast<float4*>(to) = {value(0), value(1), value(2), value(3)};
          } else {
            *reinterpret_cast<float2*>(to) = {value(0), value(1)};
          }
        }
    }
  }

#endif  // from compute capability 8.0 on
};

}  // namespace mend::fused_attention
