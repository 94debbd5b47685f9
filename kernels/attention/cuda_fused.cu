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

constexpr int kMostWarps = 8;

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

/// What a block brings into shared memory, and takes from there.
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

  __device__ void bring_queries(int first, int count, float* to) const {
    with_unit([&](auto unit) { bring_queries<unit>(first, count, to); });
  }
  __device__ void finish_queries(int count, float* at) const {
    with_unit([&](auto unit) { finish_queries<unit>(count, at); });
  }
  __device__ void bring_keys(int first, float* k, float* v) const {
    with_unit([&](auto unit) { bring_keys<unit>(first, k, v); });
  }
  __device__ void finish_keys(float* k, float* v) const {
    if constexpr (!kSplit) with_unit([&](auto unit) { finish_keys<unit>(k, v); });
  }
  __device__ void take_rows(int first, const float* rows, int lane) const {
    with_unit([&](auto unit) { take_rows<unit>(first, rows, lane); });
  }

  /// Queries from `first` on; zeros where there are none.
  template <int kUnit>
  __device__ void bring_queries(int first, int count, float* to) const {
    const float* const from = a.q.data + group.n * a.q.n_stride + head * a.depth;
    const int h_stride = static_cast<int>(a.q.h_stride), w_stride = static_cast<int>(a.q.w_stride);
    each_unit<kDepth, kUnit>(count, threadIdx.x, blockDim.x, [&](int token, int c) {
      const bool inside = first + token < tokens.queries && c < a.depth;
      const TokenPixel at = tokens.query(group, inside ? first + token : 0);
      const float* const pixel =
          from + std::int64_t{at.h} * h_stride + std::int64_t{at.w} * w_stride + c;
      copy_async<kUnit>(to + token * Its::kPitch + c, inside ? pixel : a.q.data, inside);
    });
  }
  template <int kUnit>
  __device__ void finish_queries(int count, float* at) const {
    each_unit<kDepth, kUnit>(count, threadIdx.x, blockDim.x, [&](int token, int c) {
      finish<kUnit>(at + token * Its::kPitch + c, a.scale, !kSplit);
    });
  }

  /// Keys and values from `first` on.
  template <int kUnit>
  __device__ void bring_keys(int first, float* k, float* v) const {
    const float* const from_k = a.k.data + group.n * a.k.n_stride + head * a.depth;
    const float* const from_v = a.v.data + group.n * a.v.n_stride + head * a.depth_v;
    const int k_h = static_cast<int>(a.k.h_stride), k_w = static_cast<int>(a.k.w_stride);
    const int v_h = static_cast<int>(a.v.h_stride), v_w = static_cast<int>(a.v.w_stride);
    each_unit<kDepth, kUnit>(kTileKeys, threadIdx.x, blockDim.x, [&](int token, int c) {
      const bool is_key = first + token < tokens.keys;
      const TokenPixel at = tokens.key(group, is_key ? first + token : 0);
      const bool exists = is_key && !at.outside;
      const bool inside = exists && c < a.depth, inside_v = exists && c < a.depth_v;
      const std::int64_t h = at.h, w = at.w;
      const int to = token * Its::kPitch + c;
      copy_async<kUnit>(k + to, inside ? from_k + h * k_h + w * k_w + c : a.k.data, inside);
      copy_async<kUnit>(v + to, inside_v ? from_v + h * v_h + w * v_w + c : a.v.data, inside_v);
    });
  }
  template <int kUnit>
  __device__ void finish_keys(float* k, float* v) const {
    each_unit<kDepth, kUnit>(kTileKeys, threadIdx.x, blockDim.x, [&](int token, int c) {
      finish<kUnit>(k + token * Its::kPitch + c, 1, true);
      finish<kUnit>(v + token * Its::kPitch + c, 1, true);
    });
  }

  /// A warp's rows of y.
  template <int kUnit>
  __device__ void take_rows(int first, const float* rows, int lane) const {
    float* const to = a.y.data + group.n * a.y.n_stride + head * a.depth_v;
    const int h_stride = static_cast<int>(a.y.h_stride), w_stride = static_cast<int>(a.y.w_stride);
    struct alignas(kUnit * sizeof(float)) Unit {
      float of[kUnit];
    };
    constexpr int kUnits = kDepth / kUnit;
    for (int i = lane; i < kWarpQueries * kUnits; i += kLanes) {
      const int token = i / kUnits, c = i % kUnits * kUnit;
      if (first + token >= tokens.queries || c >= a.depth_v) continue;
      const TokenPixel at = tokens.query(group, first + token);
      const std::int64_t h = at.h, w = at.w;
      *reinterpret_cast<Unit*>(to + h * h_stride + w * w_stride + c) =
          *reinterpret_cast<const Unit*>(rows + token * Its::kPitch + c);
    }
  }
};

/// What the scores of a lane are before the products: those of queries g and g + 8 from `first_query` on, with
/// keys 8j + 2t and 8j + 2t + 1 from `first_key` on.
template <class Tokens>
__device__ void start_scores(const Arguments& a, const Tokens& tokens,
                             const typename Tokens::Group& group, int head, int first_query,
                             int first_key, int lane, float (&score)[kKeyGroups][4]) {
  const int query = first_query + lane / 4, key = first_key + lane % 4 * 2;
  const float* const bias = a.bias.data + head * a.bias.h_stride + key * a.bias.w_stride + query;
  const int stride = static_cast<int>(a.bias.w_stride);
#pragma unroll
  for (int j = 0; j < kKeyGroups; ++j)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int e = i % 2, half = i / 2;
      const bool is_key = key + 8 * j + e < tokens.keys;
      const bool is_query = query + 8 * half < tokens.queries;
      const bool is_biased = a.bias.data != nullptr && is_key && is_query;
      score[j][i] = is_biased ? bias[std::int64_t{8 * j + e} * stride + 8 * half]
                              : (is_key ? 0.0f : -INFINITY);
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

template <int kDepth, bool kSplit, class Tokens>
__global__ void __launch_bounds__(kMostWarps* kLanes, kDepth > 32 || kSplit ? 1 : 2)
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

  movement.bring_queries(first_query, block_queries, queries);
  movement.bring_keys(0, tile_k(0), tile_k(0) + Its::kTile);
  commit_copies();

  float q[kDepth / 8][4], score[kKeyGroups][4], sum[kDepth / 8][4] = {};
  Softmax softmax;
  int current = 0;
  for (int first = 0; first < tokens.keys; first += kTileKeys) {
    const bool has_next = first + kTileKeys < tokens.keys;
    float* const k = tile_k(current);
    float* const v = k + Its::kTile;
    if (has_next) {
      float* const next = tile_k(1 - current);
      movement.bring_keys(first + kTileKeys, next, next + Its::kTile);
    }
    commit_copies();
    start_scores(a, tokens, group, head, own_query, first, lane, score);
    wait_for_copies<1>();
    movement.finish_keys(k, v);
    if (first == 0) movement.finish_queries(block_queries, queries);
    __syncthreads();
    if (first == 0) load_queries<kDepth>(shared_address(rows), lane, q);
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
  const int warps = std::min(kMostWarps, divide_up(tokens.queries, kWarpQueries));
  a.query_blocks = divide_up(tokens.queries, warps * kWarpQueries);
  const int stages = tokens.keys > kTileKeys ? 2 : 1;
  const int floats =
      warps * kWarpQueries * Layout<kDepth>::kPitch + 2 * stages * Layout<kDepth>::kTile;
  const int bytes = floats * static_cast<int>(sizeof(float));
  const auto kernel = attend<kDepth, kSplit, Tokens>;
  cuda_check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
             name);
  const auto blocks = static_cast<unsigned>(std::int64_t{tokens.count} * a.query_blocks * a.heads);
  kernel<<<blocks, warps * kLanes, bytes, stream>>>(a, tokens);
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
                    depth,  depth_v, call.scale, unit,      1};
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
