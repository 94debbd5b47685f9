// The rungs of the attention ladders.
#pragma once

#include "kernels/attention/attention.h"

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
std::int64_t channel_attention_blocks_scratch(const op::ChannelAttention& op, const Shapes& in);

}  // namespace mend
