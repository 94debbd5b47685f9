// Attention, a warp for each query and head: the rung that can do every case, in f32.
//
// 32 keys at a time: a lane has the score of one, then the warp goes over their values, a lane a channel.
// The largest score so far is taken away; when a larger one comes, what was summed is scaled down
// (Milakov and Gimelshein 2018, arXiv:1805.02867). Keys and values come from L1 for each query anew, which
// is what limits it. More than 128 channels of values: the scores are computed again for the next 128.
#include "engine/cuda/check.h"
#include "kernels/attention/cuda_tokens.cuh"

namespace mend {
namespace {

constexpr int kLanes = 32, kWarps = 4;
constexpr int kSums = 4;           // channels of a lane
constexpr float kLowest = -1e30f;  // below every score, and finite
constexpr unsigned kAll = 0xffffffffu;

__device__ float warp_max(float value) {
#pragma unroll
  for (int apart = kLanes / 2; apart > 0; apart /= 2)
    value = fmaxf(value, __shfl_xor_sync(kAll, value, apart));
  return value;
}
__device__ float warp_sum(float value) {
#pragma unroll
  for (int apart = kLanes / 2; apart > 0; apart /= 2) value += __shfl_xor_sync(kAll, value, apart);
  return value;
}

struct Arguments {
  View<const float> q, k, v, bias;
  View<float> y;
  int heads;
  float scale;
};

template <class Tokens>
__global__ void __launch_bounds__(kLanes* kWarps, 7) attend_naively(Arguments a, Tokens tokens) {
  const int lane = threadIdx.x % kLanes;
  const int blocks = (tokens.queries + kWarps - 1) / kWarps;  // of a group and head
  const int query = blockIdx.x % blocks * kWarps + threadIdx.x / kLanes;
  if (query >= tokens.queries) return;
  const int task = blockIdx.x / blocks, head = task % a.heads;
  const auto group = tokens.group(task / a.heads);
  const int depth = a.q.shape.c / a.heads, depth_v = a.v.shape.c / a.heads;
  const TokenPixel at = tokens.query(group, query);
  const float* const q = pixel_of(a.q, group.n, at.h, at.w) + head * depth;
  float* const y = pixel_of(a.y, group.n, at.h, at.w) + head * depth_v;
  const bool masked = tokens.is_masked(group);
  const int region = tokens.region(group, query);

  for (int first = 0; first < depth_v; first += kSums * kLanes) {
    float largest = kLowest, total = 0, sums[kSums] = {};
    for (int block = 0; block < tokens.keys; block += kLanes) {
      const int key = block + lane;
      float score = -INFINITY;
      if (key < tokens.keys) {
        const TokenPixel pixel = tokens.key(group, key);
        score = 0;
        if (!pixel.outside) {
          const float* const k = pixel_of(a.k, group.n, pixel.h, pixel.w) + head * depth;
          for (int d = 0; d < depth; ++d) score += q[d] * k[d];
        }
        score = a.scale * score + bias_of(a.bias, head, key, query);
        if (masked && region != tokens.region(group, key)) score += tokens.mask();
      }
      const float before = largest;
      largest = fmaxf(largest, warp_max(score));
      const float shrink = expf(before - largest), weight = expf(score - largest);
      total = total * shrink + weight;
#pragma unroll
      for (float& sum : sums) sum *= shrink;
      const int last = min(kLanes, tokens.keys - block);
      for (int i = 0; i < last; ++i) {
        const float of_key = __shfl_sync(kAll, weight, i);
        const TokenPixel pixel = tokens.key(group, block + i);
        if (pixel.outside) continue;
        const float* const v = pixel_of(a.v, group.n, pixel.h, pixel.w) + head * depth_v;
#pragma unroll
        for (int s = 0; s < kSums; ++s) {
          const int c = first + s * kLanes + lane;
          if (c < depth_v) sums[s] += of_key * v[c];
        }
      }
    }
    total = warp_sum(total);
#pragma unroll
    for (int s = 0; s < kSums; ++s) {
      const int c = first + s * kLanes + lane;
      if (c < depth_v) y[c] = sums[s] / total;
    }
  }
}

template <class Tokens>
void launch(const Tokens& tokens, const CudaAttentionCall& call, const char* name) {
  const auto blocks = static_cast<unsigned>(std::int64_t{tokens.count} * call.heads *
                                            ((tokens.queries + kWarps - 1) / kWarps));
  attend_naively<<<blocks, kLanes * kWarps, 0, call.stream>>>(
      Arguments{call.q, call.k, call.v, call.bias, call.y, call.heads, call.scale}, tokens);
  cuda_check(cudaGetLastError(), name);
}

}  // namespace

void launch_window_attention_naive(const CudaWindows& windows, const CudaAttentionCall& call) {
  launch(WindowTokens(windows, call.q.shape), call, "window_attention/cuda_naive");
}
void launch_attention_naive(const CudaAttentionCall& call) {
  launch(RowTokens(call.q.shape, call.k.shape), call, "attention/cuda_naive");
}

}  // namespace mend
