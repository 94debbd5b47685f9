// The entry points of attention's CUDA kernels, and what they share with the host.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/tensor.h"

namespace mend {

/// What kernels know of op::WindowAttention; windows.h has the formulas.
struct CudaWindows {
  int window_h, window_w, shift_h, shift_w;
  int key_window_h, key_window_w;
  bool dilated;
  float mask;  ///< is added across regions; 0: nothing is
};

/// Operands of op::WindowAttention and op::Attention on images of T; an absent bias has no data.
template <class T>
struct TypedCudaAttentionCall {
  View<const T> q, k, v;
  View<const float> bias;
  View<T> y;
  int heads;
  float scale;
  cudaStream_t stream;
};
using CudaAttentionCall = TypedCudaAttentionCall<float>;

/// A warp a query and head; every case.
void launch_window_attention_naive(const CudaWindows& windows, const CudaAttentionCall& call);
void launch_attention_naive(const CudaAttentionCall& call);

constexpr int kFusedDepth = 64;  ///< channels of a head that the fused kernels hold, at most
enum class FusedProducts {
  kTf32,       ///< of numbers rounded to 10 bits behind the point
  kSplitTf32,  ///< of numbers split into two of 10 bits, which is nearly f32
};
void launch_window_attention_fused(const CudaWindows& windows, const CudaAttentionCall& call,
                                   FusedProducts products);
void launch_attention_fused(const CudaAttentionCall& call, FusedProducts products);
/// Of f16 and bf16; the scale is above 0.
template <class T>
void launch_window_attention_f16(const CudaWindows& windows, const TypedCudaAttentionCall<T>& call);
template <class T>
void launch_attention_f16(const TypedCudaAttentionCall<T>& call);

/// op::ChannelAttention; the temperature is the bias, `scale` has no meaning.
/// scores: [N, C, C/heads] of working memory.
void launch_channel_attention_naive(const CudaAttentionCall& call, float* scores);

constexpr int kChannelBlocks = 528;  ///< 4 for each multiprocessor of the largest GPU
/// How the pixels of an image and head are cut for their sums; a matter of shapes alone, or the bits
/// would differ.
struct CudaChannelParts {
  CudaChannelParts(int all_pixels, int groups, int depth) {
    constexpr int kLeast = 128, kStep = 32;  // pixels of a block, and of all its warps at once
    const int most = kChannelBlocks / groups > 1 ? kChannelBlocks / groups : 1;
    const int useful = (all_pixels + kLeast - 1) / kLeast;
    const int wanted = useful < most ? useful : most;
    pixels = ((all_pixels + wanted - 1) / wanted + kStep - 1) / kStep * kStep;
    count = (all_pixels + pixels - 1) / pixels;
    const int padded = (depth + 15) / 16 * 16;
    floats = padded * padded + 2 * padded;
  }

  int count, pixels;
  int floats;  ///< sums of one part
};
/// working: [N, heads][parts.count + 1][parts.floats]; the last is for the weights
template <class T>
void launch_channel_attention_split(const TypedCudaAttentionCall<T>& call,
                                    const CudaChannelParts& parts, float* working);

/// The operations of gradient.h, and op::GatherBias.
void launch_split_windows(const CudaWindows& windows, bool keys, const View<const float>& x,
                          const View<float>& y, cudaStream_t stream);
void launch_merge_windows(const CudaWindows& windows, bool keys, const View<const float>& x,
                          const View<float>& y, cudaStream_t stream);
void launch_mask_windows(const CudaWindows& windows, int height, int width,
                         const View<const float>& x, const View<float>& y, cudaStream_t stream);
void launch_gather_bias(const View<const float>& table, const View<const float>& index,
                        const View<float>& y, cudaStream_t stream);
void launch_gather_bias_gradient(const View<const float>& dy, const View<const float>& index,
                                 const View<float>& y, cudaStream_t stream);

}  // namespace mend
