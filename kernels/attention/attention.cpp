#include "kernels/attention/attention.h"

#include <algorithm>
#include <cassert>
#include <numeric>

#include "kernels/attention/variants.h"
#include "kernels/attention/windows.h"
#include "kernels/cuda/memory_seconds.h"
#include "kernels/inputs.h"

namespace mend {
namespace {

template <class Op>
double arithmetic_seconds(const Op& op, const Shapes& in) {
  const Cost cost = op.cost(in);
  return std::max(cost.flops / NominalMachine::kFlopsPerSecond,
                  cost.bytes / NominalMachine::kBytesPerSecond);
}

// clang-format off
constexpr Variant<op::WindowAttention, WindowAttentionKernel> kWindowAttentionLadder[] = {
    // name                         device            can it?        time                error  entry
    {"window_attention/reference",  DeviceKind::kCpu, takes_f32_alone, slowest,            0,     window_attention_reference},
    {"window_attention/fused",      DeviceKind::kCpu, takes_f32_alone, arithmetic_seconds, 1e-5,  window_attention_fused},
#ifdef MEND_HAS_CUDA
    {"window_attention/cuda_naive", DeviceKind::kCuda, takes_f32_alone, window_attention_cuda_naive_seconds, 1e-5,
     window_attention_cuda_naive},
    {"window_attention/cuda_split", DeviceKind::kCuda, window_attention_cuda_fused_refuses,
     window_attention_cuda_split_seconds, 1e-5, window_attention_cuda_split},
    {"window_attention/cuda_fused", DeviceKind::kCuda, window_attention_cuda_fused_refuses,
     window_attention_cuda_fused_seconds, 1e-3, window_attention_cuda_fused},
    {"window_attention/cuda_f16", DeviceKind::kCuda, window_attention_cuda_f16_refuses,
     window_attention_cuda_f16_seconds, 5e-3, {nullptr, window_attention_cuda_f16<Half>, window_attention_cuda_f16<BFloat16>}},
#endif
};
constexpr Variant<op::Attention, AttentionKernel> kAttentionLadder[] = {
    {"attention/reference",         DeviceKind::kCpu, takes_f32_alone, slowest,            0,     attention_reference},
    {"attention/fused",             DeviceKind::kCpu, takes_f32_alone, arithmetic_seconds, 1e-5,  attention_fused},
#ifdef MEND_HAS_CUDA
    {"attention/cuda_naive",        DeviceKind::kCuda, takes_f32_alone, attention_cuda_naive_seconds, 1e-5,
     attention_cuda_naive},
    {"attention/cuda_split",        DeviceKind::kCuda, attention_cuda_fused_refuses, attention_cuda_split_seconds,
     1e-5, attention_cuda_split},
    {"attention/cuda_fused",        DeviceKind::kCuda, attention_cuda_fused_refuses, attention_cuda_fused_seconds,
     1e-3, attention_cuda_fused},
    {"attention/cuda_f16",          DeviceKind::kCuda, attention_cuda_f16_refuses, attention_cuda_f16_seconds,
     5e-3, {nullptr, attention_cuda_f16<Half>, attention_cuda_f16<BFloat16>}},
#endif
};
constexpr Variant<op::ChannelAttention, ChannelAttentionKernel> kChannelAttentionLadder[] = {
    {"channel_attention/reference", DeviceKind::kCpu, takes_f32_alone, slowest,          0,     channel_attention_reference},
    {"channel_attention/blocks",    DeviceKind::kCpu, never_refuses, arithmetic_seconds, 1e-5,
     {channel_attention_blocks, channel_attention_blocks_f16, channel_attention_blocks_bf16}},
#ifdef MEND_HAS_CUDA
    {"channel_attention/cuda_naive", DeviceKind::kCuda, takes_f32_alone, channel_attention_cuda_naive_seconds, 1e-5,
     channel_attention_cuda_naive},
    {"channel_attention/cuda_split", DeviceKind::kCuda, channel_attention_cuda_split_refuses, gpu_memory_seconds,
     1e-5, {channel_attention_cuda_split<float>, channel_attention_cuda_split<Half>, channel_attention_cuda_split<BFloat16>}},
#endif
};
constexpr Variant<op::GatherBias, GatherBiasKernel> kGatherBiasLadder[] = {
    {"gather_bias/reference",       DeviceKind::kCpu, never_refuses, slowest,            0,     gather_bias_reference},
#ifdef MEND_HAS_CUDA
    {"gather_bias/cuda",            DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 0,    gather_bias_cuda},
#endif
};
// clang-format on

/// q, k and v, and what each operation has besides.
template <class T>
TypedAttentionCall<T> call_of(Inputs inputs, const Tensor& y, Scratch scratch) {
  return {view_of<T>(inputs, 0),     view_of<T>(inputs, 1), view_of<T>(inputs, 2),
          view_of<float>(inputs, 3), y.view<T>(),           scratch};
}

/// Of q, k, v and y in `type`, and of what is f32.
double bytes_of(const Shapes& in, const Shape& y, DType type) {
  const auto elements =
      static_cast<double>(in[0].elements() + in[1].elements() + in[2].elements() + y.elements());
  return static_cast<double>(size_of(type)) * elements +
         sizeof(float) * static_cast<double>(slot(in, 3).elements());
}

/// `op` in `type`, where a rung on a GPU takes that.
template <class Op, class Kernel>
std::optional<Narrowed> narrow_on_gpu(std::span<const Variant<Op, Kernel>> ladder, Op op,
                                      const Shapes& in, DType type) {
  op.type = type;
  for (const Variant<Op, Kernel>& rung : ladder) {
    if (rung.device != DeviceKind::kCuda || !rung.refuses(op, in).empty()) continue;
    constexpr std::size_t kImages = 3;
    return narrow_inputs(op, kImages, type);
  }
  return std::nullopt;
}

/// Two products over `depth` channels of all heads together, and about 20 operations a score.
double flops_of(double queries, double keys, int channels_qk, int channels_v, int heads) {
  return queries * keys * (2.0 * channels_qk + 2.0 * channels_v + 20.0 * heads);
}

void check_heads(std::string_view op, int heads, const Shape& x) {
  if (heads > 0 && x.c % heads == 0) return;
  throw ShapeError(fmt::format("{}: {} heads do not divide the {} channels of {}", op, heads, x.c,
                               to_string(x)));
}

void check_same(std::string_view op, const Shape& q, const Shape& k, const Shape& v) {
  if (q == k && q == v) return;
  throw ShapeError(fmt::format("{}: q is {}, k {} and v {}; they must be alike", op, to_string(q),
                               to_string(k), to_string(v)));
}

}  // namespace

std::span<const Variant<op::WindowAttention, WindowAttentionKernel>> window_attention_ladder() {
  return kWindowAttentionLadder;
}
std::span<const Variant<op::Attention, AttentionKernel>> attention_ladder() {
  return kAttentionLadder;
}
std::span<const Variant<op::ChannelAttention, ChannelAttentionKernel>> channel_attention_ladder() {
  return kChannelAttentionLadder;
}
std::span<const Variant<op::GatherBias, GatherBiasKernel>> gather_bias_ladder() {
  return kGatherBiasLadder;
}

namespace op {
namespace {

void check_windows(const WindowAttention& op, const Shape& q) {
  if (op.window_h < 1 || op.window_w < 1 || q.h % op.window_h != 0 || q.w % op.window_w != 0) {
    throw ShapeError(
        fmt::format("window_attention: windows of {}x{} pixels do not tile an image of {}; pad it",
                    op.window_w, op.window_h, to_string(q)));
  }
  if (op.shift_h < 0 || op.shift_h >= op.window_h || op.shift_w < 0 || op.shift_w >= op.window_w) {
    throw ShapeError(
        fmt::format("window_attention: a shift of {},{} is not within windows of {}x{}", op.shift_h,
                    op.shift_w, op.window_w, op.window_h));
  }
  const int more_h = op.key_window_h() - op.window_h, more_w = op.key_window_w() - op.window_w;
  if (more_h < 0 || more_w < 0 || more_h % 2 != 0 || more_w % 2 != 0) {
    throw ShapeError(
        fmt::format("window_attention: kv windows of {}x{} do not surround windows of {}x{} evenly",
                    op.key_window_w(), op.key_window_h(), op.window_w, op.window_h));
  }
  const bool shifted = op.shift_h > 0 || op.shift_w > 0, larger = more_h > 0 || more_w > 0;
  if (shifted + larger + op.dilated > 1) {
    throw ShapeError(
        "window_attention: shift, larger kv windows and dilation cannot be combined; choose one");
  }
}

}  // namespace

Shape WindowAttention::shape(const Shapes& in) const {
  const Shape& q = in[kQ];
  check_same(kName, q, in[kK], in[kV]);
  check_heads(kName, heads, q);
  check_windows(*this, q);
  const Shape bias = slot(in, kBias), wanted{1, heads, keys(), queries()};
  if (!bias.empty() && bias != wanted) {
    throw ShapeError(
        fmt::format("window_attention: bias is {}, but {} heads, {} keys and {} queries need {}",
                    to_string(bias), heads, keys(), queries(), to_string(wanted)));
  }
  return q;
}

Cost WindowAttention::cost(const Shapes& in) const {
  const Shape& q = in[kQ];
  return {flops_of(static_cast<double>(q.pixels()), keys(), q.c, q.c, heads),
          bytes_of(in, q, type)};
}

Footprint WindowAttention::footprint(const Shapes&) const {
  const int radius = std::max(window_h, window_w) - 1 +
                     std::max(key_window_h() - window_h, key_window_w() - window_w) / 2;
  return {static_cast<double>(radius), 1, std::lcm(window_h, window_w), dilated};
}

std::string WindowAttention::describe() const {
  std::string text = fmt::format("{}x{} heads {}", window_w, window_h, heads);
  if (shift_h != 0 || shift_w != 0) text += fmt::format(" shift {},{}", shift_h, shift_w);
  if (mask != WindowMask::kNone) text += fmt::format(" mask {}", mask_value(mask));
  if (keys() != queries()) text += fmt::format(" kv {}x{}", key_window_w(), key_window_h());
  if (dilated) text += " dilated";
  return text;
}

std::int64_t WindowAttention::scratch_bytes(const Shapes& in) const {
  return window_attention_fused_scratch(*this, in);
}

void WindowAttention::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung = choose(window_attention_ladder(), *this, shapes_of(inputs), y.device().kind());
  run_by_type(rung.kernel, type, [&]<class T>(WindowAttentionFunction<T> run) {
    run(*this, call_of<T>(inputs, y, scratch));
  });
}

std::optional<Narrowed> WindowAttention::narrow(const Shapes& in, DType to) const {
  return narrow_on_gpu(window_attention_ladder(), *this, in, to);
}

Shape Attention::shape(const Shapes& in) const {
  const Shape &q = in[kQ], &k = in[kK], &v = in[kV];
  check_heads(kName, heads, q);
  check_heads(kName, heads, v);
  if (k.n != q.n || k.h != q.h || k.c != q.c || v.n != q.n || v.h != q.h || v.w != k.w) {
    throw ShapeError(
        fmt::format("attention: q is {}, k {} and v {}; all must agree in n and h, k in c with q, "
                    "v in w with k",
                    to_string(q), to_string(k), to_string(v)));
  }
  return {q.n, q.h, q.w, v.c};
}

Cost Attention::cost(const Shapes& in) const {
  const Shape &q = in[kQ], &k = in[kK], &v = in[kV];
  return {flops_of(static_cast<double>(q.pixels()), k.w, q.c, v.c, heads),
          bytes_of(in, shape(in), type)};
}

Footprint Attention::footprint(const Shapes&) const { return {.global = true}; }

std::string Attention::describe() const { return fmt::format("heads {}", heads); }

std::int64_t Attention::scratch_bytes(const Shapes& in) const {
  return attention_fused_scratch(*this, in);
}

void Attention::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung = choose(attention_ladder(), *this, shapes_of(inputs), y.device().kind());
  run_by_type(rung.kernel, type, [&]<class T>(AttentionFunction<T> run) {
    run(*this, call_of<T>(inputs, y, scratch));
  });
}

std::optional<Narrowed> Attention::narrow(const Shapes& in, DType to) const {
  return narrow_on_gpu(attention_ladder(), *this, in, to);
}

Shape ChannelAttention::shape(const Shapes& in) const {
  assert(in.size() == 4);
  check_same(kName, in[kQ], in[kK], in[kV]);
  check_heads(kName, heads, in[kQ]);
  if (in[kTemperature] != vector_shape(heads)) {
    throw ShapeError(fmt::format("channel_attention: temperature is {}, but there are {} heads",
                                 to_string(in[kTemperature]), heads));
  }
  return in[kQ];
}

Cost ChannelAttention::cost(const Shapes& in) const {
  const Shape& q = in[kQ];
  const double elements = static_cast<double>(q.elements());
  return {elements * (4.0 * q.c / heads + 4), bytes_of(in, q, type)};
}

Footprint ChannelAttention::footprint(const Shapes&) const { return {.global = true}; }

std::string ChannelAttention::describe() const { return fmt::format("heads {}", heads); }

std::int64_t ChannelAttention::scratch_bytes(const Shapes& in) const {
  return channel_attention_blocks_scratch(*this, in);
}

void ChannelAttention::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung =
      choose(channel_attention_ladder(), *this, shapes_of(inputs), y.device().kind());
  run_by_type(rung.kernel, type, [&]<class T>(ChannelAttentionFunction<T> run) {
    run(*this, call_of<T>(inputs, y, scratch));
  });
}

std::optional<Narrowed> ChannelAttention::narrow(const Shapes& in, DType to,
                                                 DeviceKind device) const {
  if (device != DeviceKind::kCpu) {
    return narrow_on_gpu(channel_attention_ladder(), *this, in, to);
  }
  return narrow_inputs(*this, kTemperature, to);
}

void GatherBias::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(gather_bias_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[kTable].view<const float>(), inputs[kIndex].view<const float>(),
              y.view<float>());
}

}  // namespace op
}  // namespace mend
