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
// With kSplitTf32 every number is split into two that TF32 has, and three of the four products of these are
// summed: f32's error but for a few 1e-7, at three times the mma.
#include <algorithm>

#include "engine/cuda/check.h"
#include "kernels/attention/cuda_fused_tile.cuh"
#include "kernels/cuda/launch.h"

namespace mend {
namespace fused_attention {
namespace {

constexpr int kMostWarps = 8, kLeastWarps = 4;
constexpr int kFewBlocks = 264;  // 2 for each multiprocessor of an H100

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

/// The channels of a head in a group's image.
struct HeadOf {
  __device__ HeadOf(const View<const float>& view, int n, int first)
      : data(view.data + n * view.n_stride + first),
        h_stride(static_cast<int>(view.h_stride)),
        w_stride(static_cast<int>(view.w_stride)) {}

  __device__ const float* operator()(const TokenPixel& at) const {
    return data + std::int64_t{at.h} * h_stride + std::int64_t{at.w} * w_stride;
  }

  const float* data;
  int h_stride, w_stride;
};

/// What a block brings into shared memory, and takes from there. Where there is no token or channel, nothing
/// is read and zeros are written; the address is then that of another, for it must be valid.
template <int kDepth, bool kSplit, class Tokens>
struct Movement {
  using Group = typename Tokens::Group;
  using Its = Layout<kDepth>;

  const Arguments& a;
  const Tokens& tokens;
  const Group& group;
  int head;

  /// f with the number of neighbouring channels that one copy takes.
  template <class F>
  __device__ void with_unit(const F& f) const {
    if (a.unit == 4) return f(std::integral_constant<int, 4>{});
    if (a.unit == 2) return f(std::integral_constant<int, 2>{});
    f(std::integral_constant<int, 1>{});
  }

  /// Queries from `first` on.
  __device__ void bring_queries(int first, int count, float* to) const {
    const HeadOf q(a.q, group.n, head * a.depth);
    with_unit([&](auto unit) {
      each_unit<kDepth, unit>(count, threadIdx.x, blockDim.x, [&](int token, int c) {
        const bool inside = first + token < tokens.queries && c < a.depth;
        const TokenPixel at = tokens.query(group, min(first + token, tokens.queries - 1));
        copy_async<unit>(to + token * Its::kPitch + c, q(at) + (c < a.depth ? c : 0), inside);
      });
    });
  }

  /// Keys and values from `first` on; with kQueries the queries of the same tokens, for which there is room
  /// before them.
  template <bool kQueries>
  __device__ void bring_keys(int first, float* to_q, float* to_k, float* to_v) const {
    const HeadOf q(a.q, group.n, head * a.depth), k(a.k, group.n, head * a.depth);
    const HeadOf v(a.v, group.n, head * a.depth_v);
    with_unit([&](auto unit) {
      each_unit<kDepth, unit>(kTileKeys, threadIdx.x, blockDim.x, [&](int token, int c) {
        TokenPixel at = tokens.key(group, min(first + token, tokens.keys - 1));
        const bool exists = first + token < tokens.keys && !at.outside;
        if (at.outside) at.h = at.w = 0;
        const bool is_channel = c < a.depth, is_channel_v = c < a.depth_v;
        const int i = token * Its::kPitch + c, from = is_channel ? c : 0;
        if constexpr (kQueries) copy_async<unit>(to_q + i, q(at) + from, exists && is_channel);
        copy_async<unit>(to_k + i, k(at) + from, exists && is_channel);
        copy_async<unit>(to_v + i, v(at) + (is_channel_v ? c : 0), exists && is_channel_v);
      });
    });
  }
  __device__ void round_keys(float* k, float* v) const {
    if constexpr (!kSplit) {
      with_unit([&](auto unit) {
        each_unit<kDepth, unit>(kTileKeys, threadIdx.x, blockDim.x, [&](int token, int c) {
          round_in_place<unit>(k + token * Its::kPitch + c);
          round_in_place<unit>(v + token * Its::kPitch + c);
        });
      });
    }
  }

  /// A warp's rows of y.
  __device__ void take_rows(int first, const float* rows, int lane) const {
    float* const to = a.y.data + group.n * a.y.n_stride + head * a.depth_v;
    const int h_stride = static_cast<int>(a.y.h_stride), w_stride = static_cast<int>(a.y.w_stride);
    with_unit([&](auto unit) {
      each_unit<kDepth, unit>(kWarpQueries, lane, kLanes, [&](int token, int c) {
        if (c >= a.depth_v || first + token >= tokens.queries) return;
        const TokenPixel at = tokens.query(group, first + token);
        *reinterpret_cast<Unit<unit>*>(to + std::int64_t{at.h} * h_stride +
                                       std::int64_t{at.w} * w_stride + c) =
            *reinterpret_cast<const Unit<unit>*>(rows + token * Its::kPitch + c);
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
/// keys 8j + 2t and 8j + 2t + 1 from `first_key` on.
template <class Tokens>
__device__ void start_scores(const Arguments& a, const Tokens& tokens,
                             const typename Tokens::Group& group, int head, int first_query,
                             int first_key, int lane, float (&score)[kKeyGroups][4]) {
  asm volatile("" : "+r"(lane));  // as in each_unit
  const int query = first_query + lane / 4, key = first_key + lane % 4 * 2;
  const int stride = static_cast<int>(a.bias.w_stride);
  const float* bias = a.bias.data + head * a.bias.h_stride + std::int64_t{key} * stride + query;
  if (a.bias.data != nullptr && is_whole(tokens, first_query, first_key)) {
#pragma unroll
    for (int j = 0; j < kKeyGroups; ++j, bias += 8 * std::int64_t{stride}) {
      score[j][0] = bias[0];
      score[j][1] = bias[stride];
      score[j][2] = bias[8];
      score[j][3] = bias[stride + 8];
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
        score[j][i] = is_biased ? bias[e * stride + 8 * half] : is_key ? 0.0f : -INFINITY;
      }
  }
  if (!tokens.is_masked(group)) return;
  const int own[2] = {tokens.region(group, query), tokens.region(group, query + 8)};
#pragma unroll
  for (int j = 0; j < kKeyGroups; ++j)
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const int region = tokens.region(group, key + 8 * j + e);
      if (region != own[0]) score[j][e] += tokens.mask();
      if (region != own[1]) score[j][2 + e] += tokens.mask();
    }
}

#endif  // from compute capability 8.0 on

/// Blocks of an SM that share its registers.
template <int kDepth, bool kSplit, bool kOneTile>
constexpr int kBlocks = kOneTile ? (kDepth > 32 || kSplit ? 2 : 4)
                                 : (kDepth > 32 || kSplit ? 1 : 2);

/// kOneTile: there are no more than 64 keys, and so no more than 4 warps.
template <int kDepth, bool kSplit, bool kOneTile, class Tokens>
__global__ void __launch_bounds__((kOneTile ? kLeastWarps : kMostWarps) * kLanes,
                                  kBlocks<kDepth, kSplit, kOneTile>)
    attend(const Arguments a, const Tokens tokens) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  using Its = Layout<kDepth>;
  extern __shared__ __align__(16) float shared[];
  const int lane = threadIdx.x % kLanes, warp = threadIdx.x / kLanes;
  const int block_queries = blockDim.x / kLanes * kWarpQueries;
  // Heads of a window are neighbours: they share sectors of 32 bytes, which then come out of L2.
  const int head = blockIdx.x % a.heads, task = blockIdx.x / a.heads;
  const int first_query = task % a.query_blocks * block_queries;
  const auto group = tokens.group(task / a.query_blocks);
  const Movement<kDepth, kSplit, Tokens> movement{a, tokens, group, head};
  const int own_query = first_query + warp * kWarpQueries;

  float* const queries = shared;
  float* const rows = queries + warp * kWarpQueries * Its::kPitch;
  const auto tile_k = [&](int i) {
    return shared + block_queries * Its::kPitch + 2 * i * Its::kTile;
  };

  if (a.tokens_are_both) {
    movement.template bring_keys<true>(0, queries, tile_k(0), tile_k(0) + Its::kTile);
  } else {
    movement.bring_queries(first_query, block_queries, queries);
    movement.template bring_keys<false>(0, nullptr, tile_k(0), tile_k(0) + Its::kTile);
  }
  commit_copies();

  float q[kDepth / 8][4], score[kKeyGroups][4], sum[kDepth / 8][4] = {};
  Softmax softmax;
  int current = 0;
#pragma unroll 1
  for (int first = 0; first < tokens.keys; first += kTileKeys) {
    const bool has_next = !kOneTile && first + kTileKeys < tokens.keys;
    float* const k = tile_k(current);
    float* const v = k + Its::kTile;
    if (has_next) {
      float* const next = tile_k(1 - current);
      movement.template bring_keys<false>(first + kTileKeys, nullptr, next, next + Its::kTile);
    }
    commit_copies();
    start_scores(a, tokens, group, head, own_query, first, lane, score);
    wait_for_copies<1>();
    movement.round_keys(k, v);
    __syncthreads();
    if (first == 0) load_queries<kDepth, kSplit>(shared_address(rows), lane, a.scale, q);
    multiply_keys<kDepth, kSplit>(q, shared_address(k), lane, score);
    float shrink[2];
    softmax.weigh<kSplit>(score, shrink);
#pragma unroll
    for (auto& of : sum) {
      of[0] *= shrink[0];
      of[1] *= shrink[0];
      of[2] *= shrink[1];
      of[3] *= shrink[1];
    }
    multiply_values<kDepth, kSplit>(score, v, lane, sum);
    if constexpr (kOneTile) break;
    if (has_next) __syncthreads();  // before these keys are written over
    current = 1 - current;
  }
  softmax.finish();
  // Every warp has read its rows of q: y takes their place.
  __syncwarp();
  store_rows<kDepth>(sum, softmax.total, rows, lane);
  __syncwarp();
  movement.take_rows(own_query, rows, lane);
#endif
}

template <int kDepth, bool kSplit, class Tokens>
void launch_kernel(Arguments a, const Tokens& tokens, cudaStream_t stream, const char* name) {
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
  const int floats =
      warps * kWarpQueries * Layout<kDepth>::kPitch + 2 * stages * Layout<kDepth>::kTile;
  const int bytes = floats * static_cast<int>(sizeof(float));
  auto kernel = attend<kDepth, kSplit, false, Tokens>;
  if constexpr (Tokens::kAreWindows) {
    if (stages == 1) kernel = attend<kDepth, kSplit, true, Tokens>;
  }
  cuda_check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
             name);
  kernel<<<static_cast<unsigned>(blocks_of(warps)), warps * kLanes, bytes, stream>>>(a, tokens);
  cuda_check(cudaGetLastError(), name);
}

/// Neighbouring channels that one copy takes: as many as all heads of all operands allow.
int unit_of(const CudaAttentionCall& call, int depth, int depth_v) {
  const auto allows = [&](int unit) {
    const auto starts = [&](const auto& view) {
      return reinterpret_cast<std::uintptr_t>(view.data) % (unit * sizeof(float)) == 0 &&
             view.w_stride % unit == 0 && view.h_stride % unit == 0 && view.n_stride % unit == 0;
    };
    return depth % unit == 0 && depth_v % unit == 0 && starts(call.q) && starts(call.k) &&
           starts(call.v) && starts(call.y);
  };
  return allows(4) ? 4 : allows(2) ? 2 : 1;
}

template <bool kSplit, class Tokens>
void launch_products(const CudaAttentionCall& call, const Tokens& tokens, const char* name) {
  const int depth = call.q.shape.c / call.heads, depth_v = call.v.shape.c / call.heads;
  const int unit = unit_of(call, depth, depth_v), most = std::max(depth, depth_v);
  const Arguments a{call.q, call.k,  call.v,     call.bias, call.y, call.heads,
                    depth,  depth_v, call.scale, unit,      1,      false};
  if (most <= 16) return launch_kernel<16, kSplit>(a, tokens, call.stream, name);
  if (most <= 32) return launch_kernel<32, kSplit>(a, tokens, call.stream, name);
  launch_kernel<64, kSplit>(a, tokens, call.stream, name);
}

template <class Tokens>
void launch(const CudaAttentionCall& call, const Tokens& tokens, FusedProducts products,
            const char* name) {
  if (products == FusedProducts::kTf32) return launch_products<false>(call, tokens, name);
  launch_products<true>(call, tokens, name);
}

}  // namespace
}  // namespace fused_attention

void launch_window_attention_fused(const CudaWindows& windows, const CudaAttentionCall& call,
                                   FusedProducts products) {
  fused_attention::launch(call, WindowTokens(windows, call.q.shape), products,
                          "window_attention/cuda_fused");
}
void launch_attention_fused(const CudaAttentionCall& call, FusedProducts products) {
  fused_attention::launch(call, RowTokens(call.q.shape, call.k.shape), products,
                          "attention/cuda_fused");
}

}  // namespace mend
