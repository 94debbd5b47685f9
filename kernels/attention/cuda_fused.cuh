// Attention in one kernel: products, bias, mask, softmax and values of 16 to 128 queries of a head in a block;
// nothing but q, k, v and y passes through global memory (Dao et al. 2022, arXiv:2205.14135).
//
// What limits the rung below: a warp reads all keys and values for each single query. Here a block has them in
// shared memory, 64 at a time, and a warp multiplies them with its 16 queries on tensor cores:
//
//   q  [16, d]    fragments in registers, multiplied by the scale before
//   k  [64, d]    ─┐ shared memory; cp.async brings the next 64 keys while these are multiplied
//   v  [64, d]    ─┘
//   score [16, 64] = bias + mask + q·kᵀ    in registers: the bias and the mask are what sums start from
//   softmax       within four lanes; with more than 64 keys online: sums shrink when a larger score comes
//   y += weight·v   the weights are multiplied as they lie in registers: the mma's order of keys is free, and
//                   so is that of channels, which lets a lane read 16 bytes of a value at once
//
// Swin's windows of 64 tokens with 30 channels a head: 31 KB of q, k, v and y and 16 KB of bias a window and
// head, for 256 mma. Memory limits it: these take an SM 400 cycles, and 31 KB from DRAM 2400. So what
// counts is to have much under way: all loads of a block are asked for at once, and several blocks share
// an SM. Partition, cyclic shift and dilation are addresses of pixels.
//
// How numbers are multiplied is a policy: cuda_fused_tf32.cuh rounds f32 to TF32, or splits every number into two
// that TF32 has and sums three of the four products of these, which leaves f32's error but for a few 1e-7, at three
// times the mma; cuda_fused_narrow.cuh is for f16 and bf16.
#pragma once

#include <algorithm>

#include "engine/cuda/check.h"
#include "kernels/attention/cuda_fused_parts.cuh"
#include "kernels/cuda/launch.h"

namespace mend {
namespace fused_attention {

constexpr int kMostWarps = 8, kLeastWarps = 4;
constexpr int kFewBlocks = 264;  // 2 for each multiprocessor of an H100

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

/// The channels of a head in a group's image.
template <class T>
struct HeadOf {
  __device__ HeadOf(const View<const T>& view, int n, int first)
      : data(view.data + n * view.n_stride + first),
        h_stride(static_cast<int>(view.h_stride)),
        w_stride(static_cast<int>(view.w_stride)) {}

  __device__ const T* operator()(const TokenPixel& at) const {
    return data + std::int64_t{at.h} * h_stride + std::int64_t{at.w} * w_stride;
  }

  const T* data;
  int h_stride, w_stride;
};

/// What a block brings into shared memory, and takes from there. Where there is no token or channel, nothing
/// is read and zeros are written; the address is then that of another, for it must be valid.
template <class Products, class Tokens>
struct Movement {
  using T = typename Products::Number;
  using Group = typename Tokens::Group;
  static constexpr int kPitch = Products::kPitch;

  const Arguments<T>& a;
  const Tokens& tokens;
  const Group& group;
  int head;

  /// f with the number of neighbouring channels that one copy takes.
  template <class F>
  __device__ void with_unit(const F& f) const {
    if constexpr (sizeof(T) == 2) {
      if (a.unit == 8) return f(std::integral_constant<int, 8>{});
    }
    if (a.unit == 4) return f(std::integral_constant<int, 4>{});
    if (a.unit == 2) return f(std::integral_constant<int, 2>{});
    f(std::integral_constant<int, 1>{});
  }

  /// Queries from `first` on.
  __device__ void bring_queries(int first, int count, T* to) const {
    const HeadOf<T> q(a.q, group.n, head * a.depth);
    with_unit([&](auto unit) {
      each_unit<Products, unit>(count, threadIdx.x, blockDim.x, [&](int token, int c) {
        const bool inside = first + token < tokens.queries && c < a.depth;
        const TokenPixel at = tokens.query(group, min(first + token, tokens.queries - 1));
        bring<unit>(to + token * kPitch + c, q(at) + (c < a.depth ? c : 0), inside);
      });
    });
  }

  /// Keys and values from `first` on; with kQueries the queries of the same tokens, for which there is room
  /// before them.
  template <bool kQueries>
  __device__ void bring_keys(int first, T* to_q, T* to_k, T* to_v) const {
    const HeadOf<T> q(a.q, group.n, head * a.depth), k(a.k, group.n, head * a.depth);
    const HeadOf<T> v(a.v, group.n, head * a.depth_v);
    with_unit([&](auto unit) {
      each_unit<Products, unit>(kTileKeys, threadIdx.x, blockDim.x, [&](int token, int c) {
        TokenPixel at = tokens.key(group, min(first + token, tokens.keys - 1));
        const bool exists = first + token < tokens.keys && !at.outside;
        if (at.outside) at.h = at.w = 0;
        const bool is_channel = c < a.depth, is_channel_v = c < a.depth_v;
        const int i = token * kPitch + c, from = is_channel ? c : 0;
        if constexpr (kQueries) bring<unit>(to_q + i, q(at) + from, exists && is_channel);
        bring<unit>(to_k + i, k(at) + from, exists && is_channel);
        bring<unit>(to_v + i, v(at) + (is_channel_v ? c : 0), exists && is_channel_v);
      });
    });
  }
  __device__ void round_keys(T* k, T* v) const {
    if constexpr (Products::kRoundsInPlace) {
      with_unit([&](auto unit) {
        each_unit<Products, unit>(kTileKeys, threadIdx.x, blockDim.x, [&](int token, int c) {
          Products::template round_in_place<unit>(k + token * kPitch + c);
          Products::template round_in_place<unit>(v + token * kPitch + c);
        });
      });
    }
  }

  /// A warp's rows of y.
  __device__ void take_rows(int first, const T* rows, int lane) const {
    T* const to = a.y.data + group.n * a.y.n_stride + head * a.depth_v;
    const int h_stride = static_cast<int>(a.y.h_stride), w_stride = static_cast<int>(a.y.w_stride);
    with_unit([&](auto unit) {
      each_unit<Products, unit>(kWarpQueries, lane, kLanes, [&](int token, int c) {
        if (c >= a.depth_v || first + token >= tokens.queries) return;
        const TokenPixel at = tokens.query(group, first + token);
        *reinterpret_cast<Run<T, unit>*>(to + std::int64_t{at.h} * h_stride +
                                         std::int64_t{at.w} * w_stride + c) =
            *reinterpret_cast<const Run<T, unit>*>(rows + token * kPitch + c);
      });
    });
  }
};

/// Whether every query of a block and every key of a tile exists.
template <class Tokens>
__device__ bool is_whole(const Tokens& tokens, int first_query, int first_key) {
  return first_query + kWarpQueries <= tokens.queries && first_key + kTileKeys <= tokens.keys;
}

/// What the scores of a lane are before the products: those of queries g and g + 8 from `first_query` on, with
/// keys 8j + 2t and 8j + 2t + 1 from `first_key` on; divided by the scale where that comes later.
template <class Products, class Tokens>
__device__ void start_scores(const Arguments<typename Products::Number>& a, const Tokens& tokens,
                             const typename Tokens::Group& group, int head, int first_query,
                             int first_key, int lane, float (&score)[kKeyGroups][4]) {
  asm volatile("" : "+r"(lane));  // as in each_unit
  const float unscaled = Products::kScalesQueries ? 1.0f : 1 / a.scale;
  const int query = first_query + lane / 4, key = first_key + lane % 4 * 2;
  const int stride = static_cast<int>(a.bias.w_stride);
  const float* bias = a.bias.data + head * a.bias.h_stride + std::int64_t{key} * stride + query;
  if (a.bias.data != nullptr && is_whole(tokens, first_query, first_key)) {
#pragma unroll
    for (int j = 0; j < kKeyGroups; ++j, bias += 8 * std::int64_t{stride}) {
      score[j][0] = bias[0] * unscaled;
      score[j][1] = bias[stride] * unscaled;
      score[j][2] = bias[8] * unscaled;
      score[j][3] = bias[stride + 8] * unscaled;
    }
  } else {
#pragma unroll
    for (int j = 0; j < kKeyGroups; ++j, bias += 8 * std::int64_t{stride})
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int e = i % 2, half = i / 2;
        const bool is_key = key + 8 * j + e < tokens.keys;
        const bool is_biased =
            a.bias.data != nullptr && is_key && query + 8 * half < tokens.queries;
        score[j][i] = is_biased ? bias[e * stride + 8 * half] * unscaled
                      : is_key  ? 0.0f
                                : -INFINITY;
      }
  }
  if (!tokens.is_masked(group)) return;
  const float mask = tokens.mask() * unscaled;
  const int own[2] = {tokens.region(group, query), tokens.region(group, query + 8)};
#pragma unroll
  for (int j = 0; j < kKeyGroups; ++j)
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const int region = tokens.region(group, key + 8 * j + e);
      if (region != own[0]) score[j][e] += mask;
      if (region != own[1]) score[j][2 + e] += mask;
    }
}

#endif  // from compute capability 8.0 on

/// Blocks of an SM that share its registers.
template <class Products, bool kOneTile>
constexpr int kBlocks = (Products::kDepth > 32 || Products::kIsSplit ? 1 : 2) * (kOneTile ? 2 : 1);

/// kOneTile: there are no more than 64 keys, and so no more than 4 warps.
template <class Products, bool kOneTile, class Tokens>
__global__ void __launch_bounds__((kOneTile ? kLeastWarps : kMostWarps) * kLanes,
                                  kBlocks<Products, kOneTile>)
    attend(const Arguments<typename Products::Number> a, const Tokens tokens) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  using T = typename Products::Number;
  constexpr int kPitch = Products::kPitch, kTile = kTileKeys * kPitch;
  extern __shared__ __align__(16) char bytes[];
  T* const shared = reinterpret_cast<T*>(bytes);
  const int lane = threadIdx.x % kLanes, warp = threadIdx.x / kLanes;
  const int block_queries = blockDim.x / kLanes * kWarpQueries;
  // Heads of a window are neighbours: they share sectors of 32 bytes, which then come out of L2.
  const int head = blockIdx.x % a.heads, task = blockIdx.x / a.heads;
  const int first_query = task % a.query_blocks * block_queries;
  const auto group = tokens.group(task / a.query_blocks);
  const Movement<Products, Tokens> movement{a, tokens, group, head};
  const int own_query = first_query + warp * kWarpQueries;

  T* const queries = shared;
  T* const rows = queries + warp * kWarpQueries * kPitch;
  const auto tile_k = [&](int i) { return shared + block_queries * kPitch + 2 * i * kTile; };

  if (a.tokens_are_both) {
    movement.template bring_keys<true>(0, queries, tile_k(0), tile_k(0) + kTile);
  } else {
    movement.bring_queries(first_query, block_queries, queries);
    movement.template bring_keys<false>(0, nullptr, tile_k(0), tile_k(0) + kTile);
  }
  commit_copies();

  typename Products::Queries q;
  typename Products::Scores score;
  typename Products::Sums sum = {};
  Softmax softmax;
  int current = 0;
#pragma unroll 1
  for (int first = 0; first < tokens.keys; first += kTileKeys) {
    const bool has_next = !kOneTile && first + kTileKeys < tokens.keys;
    T* const k = tile_k(current);
    T* const v = k + kTile;
    if (has_next) {
      T* const next = tile_k(1 - current);
      movement.template bring_keys<false>(first + kTileKeys, nullptr, next, next + kTile);
    }
    commit_copies();
    start_scores<Products>(a, tokens, group, head, own_query, first, lane, score);
    wait_for_copies<1>();
    movement.round_keys(k, v);
    __syncthreads();
    if (first == 0) Products::load_queries(shared_address(rows), lane, a.scale, q);
    Products::multiply_keys(q, shared_address(k), lane, score);
    float shrink[2];
    Products::weigh(softmax, score, shrink, a.scale);
#pragma unroll
    for (auto& of : sum) {
      of[0] *= shrink[0];
      of[1] *= shrink[0];
      of[2] *= shrink[1];
      of[3] *= shrink[1];
    }
    Products::multiply_values(score, v, lane, sum);
    if constexpr (kOneTile) break;
    if (has_next) __syncthreads();  // before these keys are written over
    current = 1 - current;
  }
  softmax.finish();
  // Every warp has read its rows of q: y takes their place.
  __syncwarp();
  Products::store_rows(sum, softmax.total, rows, lane);
  __syncwarp();
  movement.take_rows(own_query, rows, lane);
#endif
}

template <class Products, class Tokens>
void launch_kernel(Arguments<typename Products::Number> a, const Tokens& tokens,
                   cudaStream_t stream, const char* name) {
  // Blocks of many queries read keys and values less often; but first of all they must fill the GPU.
  int warps = std::min(kMostWarps, divide_up(tokens.queries, kWarpQueries));
  const auto blocks_of = [&](int of_warps) {
    return std::int64_t{tokens.count} * a.heads *
           divide_up(tokens.queries, of_warps * kWarpQueries);
  };
  while (warps > kLeastWarps && blocks_of(warps) < kFewBlocks) warps = divide_up(warps, 2);
  a.query_blocks = divide_up(tokens.queries, warps * kWarpQueries);
  a.tokens_are_both = Tokens::kAreWindows && tokens.queries == tokens.keys &&
                      warps * kWarpQueries == kTileKeys && a.query_blocks == 1;
  const int stages = tokens.keys > kTileKeys ? 2 : 1;
  const int tokens_held = warps * kWarpQueries + 2 * stages * kTileKeys;
  const int bytes =
      tokens_held * Products::kPitch * static_cast<int>(sizeof(typename Products::Number));
  auto kernel = attend<Products, false, Tokens>;
  if constexpr (Tokens::kAreWindows) {
    if (stages == 1) kernel = attend<Products, true, Tokens>;
  }
  cuda_check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
             name);
  kernel<<<static_cast<unsigned>(blocks_of(warps)), warps * kLanes, bytes, stream>>>(a, tokens);
  cuda_check(cudaGetLastError(), name);
}

/// Neighbouring channels that one copy takes, up to 16 bytes of them: as many as all heads of all operands allow.
template <class T>
int unit_of(const TypedCudaAttentionCall<T>& call, int depth, int depth_v) {
  int unit = 16 / static_cast<int>(sizeof(T));
  const auto starts = [&](const auto& view) {
    return reinterpret_cast<std::uintptr_t>(view.data) % (unit * sizeof(T)) == 0 &&
           view.w_stride % unit == 0 && view.h_stride % unit == 0 && view.n_stride % unit == 0;
  };
  while (unit > 1 && (depth % unit != 0 || depth_v % unit != 0 || !starts(call.q) ||
                      !starts(call.k) || !starts(call.v) || !starts(call.y))) {
    unit /= 2;
  }
  return unit;
}

/// Products<kDepth>: the policy for heads of up to so many channels.
template <template <int kDepth> class Products, class T, class Tokens>
void launch(const TypedCudaAttentionCall<T>& call, const Tokens& tokens, const char* name) {
  const int depth = call.q.shape.c / call.heads, depth_v = call.v.shape.c / call.heads;
  const int unit = unit_of(call, depth, depth_v), most = std::max(depth, depth_v);
  const Arguments<T> a{call.q, call.k,  call.v,     call.bias, call.y, call.heads,
                       depth,  depth_v, call.scale, unit,      1,      false};
  if (most <= 16) return launch_kernel<Products<16>>(a, tokens, call.stream, name);
  if (most <= 32) return launch_kernel<Products<32>>(a, tokens, call.stream, name);
  launch_kernel<Products<64>>(a, tokens, call.stream, name);
}

}  // namespace fused_attention
}  // namespace mend
