// The parts of cuda_fused.cu: what comes into shared memory, and the two products of 16 queries of a warp.
#pragma once

#include "kernels/attention/cuda_factors.cuh"
#include "kernels/attention/cuda_tokens.cuh"
#include "kernels/cuda/element.cuh"

namespace mend::fused_attention {

constexpr int kLanes = 32;
constexpr int kWarpQueries = 16;  // rows of an mma
constexpr int kTileKeys = 64;     // whose scores a warp has in registers, 8 x 4 a lane
constexpr int kKeyGroups = kTileKeys / 8;
constexpr float kLowest = -1e30f;  // below every score, and finite
constexpr float kLog2E = 1.44269504f;
constexpr unsigned kAll = 0xffffffffu;

struct Arguments {
  View<const float> q, k, v, bias;
  View<float> y;
  int heads;
  int depth, depth_v;  ///< channels of a head
  float scale;
  int unit;              ///< neighbouring channels that one copy takes
  int query_blocks;      ///< of a group of tokens and a head
  bool tokens_are_both;  ///< a block's queries are its only keys
};

/// A head's channels in shared memory: kDepth floats of a token, zeros behind its own, kPitch apart. A pitch of
/// 4 mod 8 has ldmatrix (8 tokens, 16 bytes of each) and the reads of values (every other token, 32
/// neighbours of each) touch all banks.
template <int kDepth>
struct Layout {
  static constexpr int kPitch = kDepth + 4;
  static constexpr int kTile = kTileKeys * kPitch;
  static constexpr int kWide = kDepth % 32 == 0 ? 4 : 2;  // neighbouring values that a lane reads
  static constexpr int kRuns = kDepth / (8 * kWide);      // of 8 · kWide channels
  static constexpr int kRunChannels = 8 * kWide;
};

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

template <int kUnit>
__device__ void copy_async(float* to, const float* from, bool inside) {
  if constexpr (kUnit == 4) copy_16_async(shared_address(to), from, inside);
  if constexpr (kUnit == 1) copy_4_async(shared_address(to), from, inside);
  if constexpr (kUnit == 2) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 8, %2;" ::"r"(shared_address(to)),
                 "l"(from), "r"(inside ? 8 : 0)
                 : "memory");
  }
}

/// f(token, channel) for all units of kUnit channels of `tokens` tokens, a multiple of 8, that are this thread's,
/// whose channel stays the same from token to token.
template <int kDepth, int kUnit, class F>
__device__ void each_unit(int tokens, int thread, int threads, const F& f) {
  constexpr int kUnits = kDepth / kUnit;
  constexpr int kSideBySide = kUnits < kLanes ? kUnits : kLanes;
  // Hides where the number comes from: else what follows from it is kept in registers from tile to tile.
  asm volatile("" : "+r"(thread));
#pragma unroll
  for (int unit = 0; unit < kUnits; unit += kSideBySide) {
    const int channel = (unit + thread % kSideBySide) * kUnit;
#pragma unroll 1
    for (int i = thread / kSideBySide; i < tokens; i += threads / kSideBySide) {
      // Two tokens that are served together must not be neighbours where these share banks.
      if constexpr (kDepth == 16) {
        const int token = (i & ~7) | (i & 1) << 2 | (i & 7) >> 1;
        f(token, channel);
      } else {
        f(i, channel);
      }
    }
  }
}

template <int kUnit>
struct alignas(kUnit * sizeof(float)) Unit {
  float of[kUnit];
};

/// Rounds to TF32 what this thread has copied.
template <int kUnit>
__device__ void round_in_place(float* at) {
  Unit<kUnit>& unit = *reinterpret_cast<Unit<kUnit>*>(at);
  Unit<kUnit> rounded = unit;
#pragma unroll
  for (float& number : rounded.of) number = rounded_to_tf32(number);
  unit = rounded;
}

/// The rows of q that a warp multiplies, times `scale`, as fragments of 8 channels.
template <int kDepth, bool kSplit>
__device__ void load_queries(std::uint32_t rows, int lane, float scale, float (&q)[kDepth / 8][4]) {
  // Matrices: tokens 0 to 7 and 8 to 15 of channels 0 to 3, then of 4 to 7.
  const std::uint32_t at =
      rows + ((lane % 16) * Layout<kDepth>::kPitch + lane / 16 * 4) * sizeof(float);
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
template <int kDepth, bool kSplit>
__device__ void multiply_keys(const float (&q)[kDepth / 8][4], std::uint32_t keys, int lane,
                              float (&score)[kKeyGroups][4]) {
  constexpr int kPitch = Layout<kDepth>::kPitch;
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

/// sum += weight · v for the keys of a tile. As weights lie where the scores were, a lane has those of keys
/// 2t and 2t + 1 where mma wants t and t + 4: so it gets the values in this order. And as it reads
/// kWide neighbouring channels at once, they are those of kWide mma.
template <int kDepth, bool kSplit>
__device__ void multiply_values(const float (&weight)[kKeyGroups][4], const float* values, int lane,
                                float (&sum)[kDepth / 8][4]) {
  using Its = Layout<kDepth>;
  const float* const at = values + lane % 4 * 2 * Its::kPitch + lane / 4 * Its::kWide;
#pragma unroll
  for (int j = 0; j < kKeyGroups; ++j) {
    const Factors<kSplit> a({weight[j][0], weight[j][2], weight[j][1], weight[j][3]});
#pragma unroll
    for (int run = 0; run < Its::kRuns; ++run) {
      using Values = Unit<Its::kWide>;
      const float* const from = at + j * 8 * Its::kPitch + run * Its::kRunChannels;
      const Values first = *reinterpret_cast<const Values*>(from);
      const Values second = *reinterpret_cast<const Values*>(from + Its::kPitch);
#pragma unroll
      for (int i = 0; i < Its::kWide; ++i)
        add_product(sum[run * Its::kWide + i], a, first.of[i], second.of[i]);
    }
  }
}

/// Puts the sums of a warp's queries, divided by the totals of their weights, into its rows.
template <int kDepth>
__device__ void store_rows(const float (&sum)[kDepth / 8][4], const float (&total)[2], float* rows,
                           int lane) {
  using Its = Layout<kDepth>;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float share = 1 / total[half];
    float* const row = rows + (lane / 4 + 8 * half) * Its::kPitch + lane % 4 * 2 * Its::kWide;
#pragma unroll
    for (int run = 0; run < Its::kRuns; ++run)
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        float* const to = row + run * Its::kRunChannels + e * Its::kWide;
        const auto value = [&](int i) { return sum[run * Its::kWide + i][2 * half + e] * share; };
        if constexpr (Its::kWide == 4) {
          *reinterpret_cast<float4*>(to) = {value(0), value(1), value(2), value(3)};
        } else {
          *reinterpret_cast<float2*>(to) = {value(0), value(1)};
        }
      }
  }
}

/// 2 to the power of x, within 2^-22.
__device__ inline float exp2_approximately(float x) {
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
  return power;
}

/// The scores of a lane, and what the softmax knows of its two queries, g and g + 8.
struct Softmax {
  float largest[2] = {kLowest, kLowest}, total[2] = {0, 0};

  /// Makes weights of the scores of a tile; the sums so far are to be multiplied by `shrink`.
  template <bool kSplit>
  __device__ void weigh(float (&score)[kKeyGroups][4], float (&shrink)[2]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float most = largest[half];
#pragma unroll
      for (int j = 0; j < kKeyGroups; ++j)
        most = fmaxf(most, fmaxf(score[j][2 * half], score[j][2 * half + 1]));
      most = fmaxf(most, __shfl_xor_sync(kAll, most, 1));
      most = fmaxf(most, __shfl_xor_sync(kAll, most, 2));
      shrink[half] = exp2_approximately((largest[half] - most) * kLog2E);
      largest[half] = most;
      float sum = total[half] * shrink[half];
      const float scaled = most * kLog2E;
#pragma unroll
      for (int j = 0; j < kKeyGroups; ++j)
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          float& weight = score[j][2 * half + e];
          if constexpr (kSplit) {
            weight = exp2_approximately((weight - most) * kLog2E);
          } else {  // The total is that of the weights that multiply the values.
            weight = rounded_to_tf32(exp2_approximately(fmaf(weight, kLog2E, -scaled)));
          }
          sum += weight;
        }
      total[half] = sum;
    }
  }

  __device__ void finish() {
#pragma unroll
    for (float& sum : total) {
      sum += __shfl_xor_sync(kAll, sum, 1);
      sum += __shfl_xor_sync(kAll, sum, 2);
    }
  }
};

#endif  // from compute capability 8.0 on

}  // namespace mend::fused_attention
