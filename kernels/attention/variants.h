// The rungs of the attention ladders.
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/attention/gradient.h"

namespace mend {

void window_attention_reference(const op::WindowAttention& op, const AttentionCall& call);
void window_attention_fused(const op::WindowAttention& op, const AttentionCall& call);
/// Working memory of window_attention_fused in bytes; grows with threads().
std::int64_t window_attention_fused_scratch(const op::WindowAttention& op, const Shapes& in);

void attention_reference(const op::Attention& op, const AttentionCall& call);
void attention_fused(const op::Attention& op, const AttentionCall& call);
std::int64_t attention_fused_scratch(const op::Attention& op, const Shapes& in);

void channel_attention_reference(const op::ChannelAttention& op, const AttentionCall& call);
void channel_attention_blocks(const op::ChannelAttention& op, const AttentionCall& call);
void channel_attention_blocks_f16(const op::ChannelAttention& op,
                                  const TypedAttentionCall<Half>& call);
void channel_attention_blocks_bf16(const op::ChannelAttention& op,
                                   const TypedAttentionCall<BFloat16>& call);
std::int64_t channel_attention_blocks_scratch(const op::ChannelAttention& op, const Shapes& in);

// On a GPU; `split`, `fused` and `f16` are one kernel, with numbers split in two for tensor cores, rounded to TF32, and
// f16 or bf16.
void window_attention_cuda_naive(const op::WindowAttention& op, const AttentionCall& call);
void window_attention_cuda_split(const op::WindowAttention& op, const AttentionCall& call);
void window_attention_cuda_fused(const op::WindowAttention& op, const AttentionCall& call);
double window_attention_cuda_naive_seconds(const op::WindowAttention& op, const Shapes& in);
double window_attention_cuda_split_seconds(const op::WindowAttention& op, const Shapes& in);
double window_attention_cuda_fused_seconds(const op::WindowAttention& op, const Shapes& in);
std::string window_attention_cuda_fused_refuses(const op::WindowAttention& op, const Shapes& in);

template <class T>
void window_attention_cuda_f16(const op::WindowAttention& op, const TypedAttentionCall<T>& call);
double window_attention_cuda_f16_seconds(const op::WindowAttention& op, const Shapes& in);
std::string window_attention_cuda_f16_refuses(const op::WindowAttention& op, const Shapes& in);

void attention_cuda_naive(const op::Attention& op, const AttentionCall& call);
void attention_cuda_split(const op::Attention& op, const AttentionCall& call);
void attention_cuda_fused(const op::Attention& op, const AttentionCall& call);
double attention_cuda_naive_seconds(const op::Attention& op, const Shapes& in);
double attention_cuda_split_seconds(const op::Attention& op, const Shapes& in);
double attention_cuda_fused_seconds(const op::Attention& op, const Shapes& in);
std::string attention_cuda_fused_refuses(const op::Attention& op, const Shapes& in);
template <class T>
void attention_cuda_f16(const op::Attention& op, const TypedAttentionCall<T>& call);
double attention_cuda_f16_seconds(const op::Attention& op, const Shapes& in);
std::string attention_cuda_f16_refuses(const op::Attention& op, const Shapes& in);

void channel_attention_cuda_naive(const op::ChannelAttention& op, const AttentionCall& call);
template <class T>
void channel_attention_cuda_split(const op::ChannelAttention& op,
                                  const TypedAttentionCall<T>& call);
double channel_attention_cuda_naive_seconds(const op::ChannelAttention& op, const Shapes& in);
std::string channel_attention_cuda_split_refuses(const op::ChannelAttention& op, const Shapes& in);

void gather_bias_reference(const op::GatherBias& op, View<const float> table,
                           View<const float> index, View<float> y);
void gather_bias_cuda(const op::GatherBias& op, View<const float> table, View<const float> index,
                      View<float> y);
void split_windows_cuda(const op::SplitWindows& op, View<const float> x, View<float> y);
void merge_windows_cuda(const op::MergeWindows& op, View<const float> x, View<float> y);
void mask_windows_cuda(const op::MaskWindows& op, View<const float> x, View<float> y);
void gather_bias_gradient_cuda(const op::GatherBiasGradient& op, View<const float> dy,
                               View<const float> index, View<float> y, Scratch);

}  // namespace mend
