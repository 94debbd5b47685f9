// The parts of cuda_fused.cuh that know nothing of how products are made: what comes into shared memory, and the
// softmax of a lane's scores.
#pragma once

#include "kernels/attention/cuda_tokens.cuh"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/run.cuh"
#include "kernels/cuda/tensor_core.cuh"

namespace mend::fused_attention {

constexpr int kLanes = 32;
constexpr int kWarpQueries = 16;  // rows of an mma
constexpr int kTileKeys = 64;     // whose scores a warp has in registers, 8 x 4 a lane
constexpr int kKeyGroups = kTileKeys / 8;
constexpr float kLowest = -1e30f;  // below every score, and finite
constexpr float kLog2E = 1.44269504f;
constexpr unsigned kAll = 0xffffffffu;

template <class T>
struct Arguments {
  View<const T> q, k, v;
  View<const float> bias;
  View<T> y;
  int heads;
  int depth, depth_v;  ///< channels of a head
  float scale;
  int unit;              ///< neighbouring channels that one copy takes
  int query_blocks;      ///< of a group of tokens and a head
  bool tokens_are_both;  ///< a block's queries are its only keys
};

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

/// Brings kUnit neighbouring channels. cp.async does not copy one of 16 bits: it passes through a register.
template <int kUnit, class T>
__device__ void bring(T* to, const T* from, bool inside) {
  constexpr int kBytes = kUnit * sizeof(T);
  if constexpr (kBytes >= 4) {
    copy_async<kBytes, 0>(shared_address(to), from, inside ? kBytes : 0);
  } else {
    *to = inside ? *from : T{};
  }
}

/// f(token, channel) for all units of kUnit channels of `tokens` tokens, a multiple of 8, that are this thread's,
/// whose channel stays the same from token to token. Of eight tokens Products::place_of_eight says which is the i-th:
/// those that are served together must not be neighbours where these share banks.
template <class Products, int kUnit, class F>
__device__ void each_unit(int tokens, int thread, int threads, const F& f) {
  constexpr int kUnits = Products::kDepth / kUnit;
  constexpr int kSideBySide = kUnits < kLanes ? kUnits : kLanes;
  // Hides where the number comes from: else what follows from it is kept in registers from tile to tile.
  asm volatile("" : "+r"(thread));
#pragma unroll
  for (int unit = 0; unit < kUnits; unit += kSideBySide) {
    const int channel = (unit + thread % kSideBySide) * kUnit;
#pragma unroll 1
    for (int i = thread / kSideBySide; i < tokens; i += threads / kSideBySide) {
      f((i & ~7) | Products::place_of_eight(i & 7), channel);
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

  /// Makes weights of the scores of a tile, exp(factor · (score − largest)), each as `rounded` makes it; the sums so
  /// far are to be multiplied by `shrink`. factor > 0. kExact: the difference is taken before it is multiplied.
  template <bool kExact, class Round>
  __device__ void weigh(float (&score)[kKeyGroups][4], float (&shrink)[2], float factor,
                        const Round& rounded) {
    const float power = factor * kLog2E;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float most = largest[half];
#pragma unroll
      for (int j = 0; j < kKeyGroups; ++j)
        most = fmaxf(most, fmaxf(score[j][2 * half], score[j][2 * half + 1]));
      most = fmaxf(most, __shfl_xor_sync(kAll, most, 1));
      most = fmaxf(most, __shfl_xor_sync(kAll, most, 2));
      shrink[half] = exp2_approximately((largest[half] - most) * power);
      largest[half] = most;
      float sum = total[half] * shrink[half];
      const float scaled = most * power;
#pragma unroll
      for (int j = 0; j < kKeyGroups; ++j)
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          float& weight = score[j][2 * half + e];
          const float exponent = kExact ? (weight - most) * power : fmaf(weight, power, -scaled);
          weight = rounded(exp2_approximately(exponent));
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
