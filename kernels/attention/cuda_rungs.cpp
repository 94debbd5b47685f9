// The host's side of the CUDA rungs: what they refuse, their modelled time, and from the operations to launches.
#include <algorithm>

#include "engine/cuda/cuda_device.h"
#include "kernels/attention/cuda.h"
#include "kernels/attention/variants.h"
#include "kernels/attention/windows.h"
#include "kernels/cuda/machine.h"
#include "kernels/cuda/refuses.h"

namespace mend {
namespace {

CudaWindows windows_of(const op::WindowAttention& op) {
  return {op.window_h,       op.window_w,       op.shift_h, op.shift_w,
          op.key_window_h(), op.key_window_w(), op.dilated, mask_value(op.mask)};
}

template <class T>
TypedCudaAttentionCall<T> cuda_call(const TypedAttentionCall<T>& call, int heads, float scale) {
  return {call.q, call.k, call.v, call.bias, call.y, heads, scale, current_cuda_device().stream()};
}

/// Of heads with so many channels, on every GPU that there is.
std::string refuses_heads(int depth) {
  if (depth > kFusedDepth) {
    return fmt::format("holds {} channels of a head, not {}", kFusedDepth, depth);
  }
  return refuses_before_ampere();
}

template <class Op>
std::string refuses_narrow(const Op& op, int depth) {
  if (op.type == DType::kF32) return "computes in f16 and bf16";
  if (!(op.scale > 0)) return "needs a scale above 0";
  return refuses_heads(depth);
}
template <class Op>
std::string refuses_wide(const Op& op, int depth) {
  const std::string why = takes_f32_alone(op, {});
  return why.empty() ? refuses_heads(depth) : why;
}
int depth_of(const op::WindowAttention& op, const Shapes& in) {
  return in[op::WindowAttention::kQ].c / op.heads;
}
int depth_of(const op::Attention& op, const Shapes& in) {
  return std::max(in[op::Attention::kQ].c, in[op::Attention::kV].c) / op.heads;
}

/// Two products of `queries` · `keys` · `depth`, as long as whole tiles take; `products`: mma in TF32 for each.
double fused_seconds(double groups, int queries, int keys, int depth, double products,
                     const Cost& cost) {
  constexpr double kTf32FlopsPerSecond = NominalGpu::kTensorFlopsPerSecond / 2;
  const auto rounded = [](int count, int to) { return (count + to - 1) / to * to; };
  const double flops = 4.0 * groups * rounded(queries, 16) * rounded(keys, 64) *
                       (depth <= 16   ? 16
                        : depth <= 32 ? 32
                                      : 64);
  return std::max(products * flops / kTf32FlopsPerSecond, cost.bytes / NominalGpu::kBytesPerSecond);
}

/// A warp reads every key and value for every query out of L1.
double naive_seconds(double pairs, int channels_qk, int channels_v) {
  return 4.0 * pairs * (channels_qk + channels_v) / NominalGpu::kCachedBytesPerSecond;
}

double window_seconds(const op::WindowAttention& op, const Shapes& in, double products) {
  const Shape& q = in[op::WindowAttention::kQ];
  const double windows = static_cast<double>(q.pixels()) / op.queries();
  return fused_seconds(windows * op.heads, op.queries(), op.keys(), depth_of(op, in), products,
                       op.cost(in));
}

double row_seconds(const op::Attention& op, const Shapes& in, double products) {
  const Shape &q = in[op::Attention::kQ], &k = in[op::Attention::kK];
  return fused_seconds(static_cast<double>(q.n) * q.h * op.heads, q.w, k.w, depth_of(op, in),
                       products, op.cost(in));
}

}  // namespace

void window_attention_cuda_naive(const op::WindowAttention& op, const AttentionCall& call) {
  launch_window_attention_naive(windows_of(op), cuda_call(call, op.heads, op.scale));
}
void window_attention_cuda_split(const op::WindowAttention& op, const AttentionCall& call) {
  launch_window_attention_fused(windows_of(op), cuda_call(call, op.heads, op.scale),
                                FusedProducts::kSplitTf32);
}
void window_attention_cuda_fused(const op::WindowAttention& op, const AttentionCall& call) {
  launch_window_attention_fused(windows_of(op), cuda_call(call, op.heads, op.scale),
                                FusedProducts::kTf32);
}
double window_attention_cuda_naive_seconds(const op::WindowAttention& op, const Shapes& in) {
  const Shape& q = in[op::WindowAttention::kQ];
  return naive_seconds(static_cast<double>(q.pixels()) * op.keys(), q.c, q.c);
}
double window_attention_cuda_split_seconds(const op::WindowAttention& op, const Shapes& in) {
  return 1.1 * window_seconds(op, in, 3);
}
double window_attention_cuda_fused_seconds(const op::WindowAttention& op, const Shapes& in) {
  return window_seconds(op, in, 1);
}
std::string window_attention_cuda_fused_refuses(const op::WindowAttention& op, const Shapes& in) {
  return refuses_wide(op, depth_of(op, in));
}
template <class T>
void window_attention_cuda_f16(const op::WindowAttention& op, const TypedAttentionCall<T>& call) {
  launch_window_attention_f16(windows_of(op), cuda_call(call, op.heads, op.scale));
}
template void window_attention_cuda_f16(const op::WindowAttention&,
                                        const TypedAttentionCall<Half>&);
template void window_attention_cuda_f16(const op::WindowAttention&,
                                        const TypedAttentionCall<BFloat16>&);
double window_attention_cuda_f16_seconds(const op::WindowAttention& op, const Shapes& in) {
  return window_seconds(op, in, 0.5);
}
std::string window_attention_cuda_f16_refuses(const op::WindowAttention& op, const Shapes& in) {
  return refuses_narrow(op, depth_of(op, in));
}

void attention_cuda_naive(const op::Attention& op, const AttentionCall& call) {
  launch_attention_naive(cuda_call(call, op.heads, op.scale));
}
void attention_cuda_split(const op::Attention& op, const AttentionCall& call) {
  launch_attention_fused(cuda_call(call, op.heads, op.scale), FusedProducts::kSplitTf32);
}
void attention_cuda_fused(const op::Attention& op, const AttentionCall& call) {
  launch_attention_fused(cuda_call(call, op.heads, op.scale), FusedProducts::kTf32);
}
double attention_cuda_naive_seconds(const op::Attention&, const Shapes& in) {
  const Shape& q = in[op::Attention::kQ];
  const Shape& v = in[op::Attention::kV];
  return naive_seconds(static_cast<double>(q.pixels()) * v.w, q.c, v.c);
}
double attention_cuda_split_seconds(const op::Attention& op, const Shapes& in) {
  return 1.1 * row_seconds(op, in, 3);
}
double attention_cuda_fused_seconds(const op::Attention& op, const Shapes& in) {
  return row_seconds(op, in, 1);
}
std::string attention_cuda_fused_refuses(const op::Attention& op, const Shapes& in) {
  return refuses_wide(op, depth_of(op, in));
}
template <class T>
void attention_cuda_f16(const op::Attention& op, const TypedAttentionCall<T>& call) {
  launch_attention_f16(cuda_call(call, op.heads, op.scale));
}
template void attention_cuda_f16(const op::Attention&, const TypedAttentionCall<Half>&);
template void attention_cuda_f16(const op::Attention&, const TypedAttentionCall<BFloat16>&);
double attention_cuda_f16_seconds(const op::Attention& op, const Shapes& in) {
  return row_seconds(op, in, 0.5);
}
std::string attention_cuda_f16_refuses(const op::Attention& op, const Shapes& in) {
  return refuses_narrow(op, depth_of(op, in));
}

void channel_attention_cuda_naive(const op::ChannelAttention& op, const AttentionCall& call) {
  const Shape& q = call.q.shape;
  const Tensor scores =
      Tensor::empty({q.n, 1, q.c, q.c / op.heads}, DType::kF32, current_cuda_device());
  launch_channel_attention_naive(cuda_call(call, op.heads, 1), scores.view<float>().data);
}
template <class T>
void channel_attention_cuda_split(const op::ChannelAttention& op,
                                  const TypedAttentionCall<T>& call) {
  const Shape& q = call.q.shape;
  const int groups = q.n * op.heads;
  const CudaChannelParts parts(q.h * q.w, groups, q.c / op.heads);
  const Tensor working =
      Tensor::empty({1, groups, parts.count + 1, parts.floats}, DType::kF32, current_cuda_device());
  launch_channel_attention_split(cuda_call(call, op.heads, 1), parts, working.view<float>().data);
}
template void channel_attention_cuda_split(const op::ChannelAttention&, const AttentionCall&);
template void channel_attention_cuda_split(const op::ChannelAttention&,
                                           const TypedAttentionCall<Half>&);
template void channel_attention_cuda_split(const op::ChannelAttention&,
                                           const TypedAttentionCall<BFloat16>&);
/// q and k are read for every score.
double channel_attention_cuda_naive_seconds(const op::ChannelAttention& op, const Shapes& in) {
  const Shape& q = in[op::ChannelAttention::kQ];
  return 4.0 * 3 * static_cast<double>(q.elements()) * (q.c / op.heads) /
         NominalGpu::kCachedBytesPerSecond;
}
std::string channel_attention_cuda_split_refuses(const op::ChannelAttention& op, const Shapes& in) {
  return refuses_heads(in[op::ChannelAttention::kQ].c / op.heads);
}

void gather_bias_cuda(const op::GatherBias&, View<const float> table, View<const float> index,
                      View<float> y) {
  launch_gather_bias(table, index, y, current_cuda_device().stream());
}
void split_windows_cuda(const op::SplitWindows& op, View<const float> x, View<float> y) {
  launch_split_windows(windows_of(op.windows), op.keys, x, y, current_cuda_device().stream());
}
void merge_windows_cuda(const op::MergeWindows& op, View<const float> x, View<float> y) {
  launch_merge_windows(windows_of(op.windows), op.keys, x, y, current_cuda_device().stream());
}
void mask_windows_cuda(const op::MaskWindows& op, View<const float> x, View<float> y) {
  launch_mask_windows(windows_of(op.windows), op.height, op.width, x, y,
                      current_cuda_device().stream());
}
void gather_bias_gradient_cuda(const op::GatherBiasGradient&, View<const float> dy,
                               View<const float> index, View<float> y, Scratch) {
  launch_gather_bias_gradient(dy, index, y, current_cuda_device().stream());
}

}  // namespace mend
