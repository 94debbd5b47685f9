// Attention as SwinIR, HAT, DAT, SCUNet, CodeFormer, DDColor and Restormer have it.
#include "bench/kernels/bench_rungs.h"
#include "kernels/attention/attention.h"

namespace mend::bench {
namespace {

AttentionCall call_of(Inputs inputs, const Tensor& y, Scratch scratch) {
  return {inputs[0].view<const float>(),
          inputs[1].view<const float>(),
          inputs[2].view<const float>(),
          inputs.size() > 3 ? inputs[3].view<const float>() : View<const float>{},
          y.view<float>(),
          scratch};
}

void add_windows(const std::string& label, const op::WindowAttention& attention, const Shape& x) {
  const Shape bias{1, attention.heads, attention.keys(), attention.queries()};
  register_rungs(window_attention_ladder(), attention, label, {x, x, x, bias},
                 [attention](WindowAttentionKernel kernel, Inputs inputs, const Tensor& y,
                             Scratch scratch) { kernel(attention, call_of(inputs, y, scratch)); });
}

void add_tokens(const std::string& label, const op::Attention& attention, const Shape& q,
                const Shape& k) {
  register_rungs(attention_ladder(), attention, label, {q, k, k},
                 [attention](AttentionKernel kernel, Inputs inputs, const Tensor& y,
                             Scratch scratch) { kernel(attention, call_of(inputs, y, scratch)); });
}

void add_channels(const std::string& label, const op::ChannelAttention& attention, const Shape& x) {
  register_rungs(channel_attention_ladder(), attention, label,
                 {x, x, x, vector_shape(attention.heads)},
                 [attention](ChannelAttentionKernel kernel, Inputs inputs, const Tensor& y,
                             Scratch scratch) { kernel(attention, call_of(inputs, y, scratch)); });
}

const bool kRegistered = [] {
  const auto mask = WindowMask::kMinus100;
  add_windows("w8_h6_d10/256x256", {8, 8, 0, 0, 6, 0.3f}, {1, 256, 256, 60});
  add_windows("w8_h6_d10_shifted/256x256", {8, 8, 4, 4, 6, 0.3f, mask}, {1, 256, 256, 60});
  add_windows("w8_h6_d30/64x64", {8, 8, 4, 4, 6, 0.18f, mask}, {1, 64, 64, 180});
  add_windows("w7_h6_d30/126x126", {7, 7, 3, 3, 6, 0.18f, mask}, {1, 126, 126, 180});
  add_windows("w16_h6_d30/64x64", {16, 16, 8, 8, 6, 0.18f, mask}, {1, 64, 64, 180});
  add_windows("w16_kv24_h6_d30/64x64",
              {.window_h = 16,
               .window_w = 16,
               .heads = 6,
               .scale = 0.18f,
               .kv_window_h = 24,
               .kv_window_w = 24},
              {1, 64, 64, 180});
  add_windows("w8x32_h3_d30/64x64", {8, 32, 4, 16, 3, 0.18f, mask}, {1, 64, 64, 90});
  add_windows("w4_h1_d32/256x256", {4, 4, 2, 2, 1, 0.18f, mask}, {1, 256, 256, 32});
  add_tokens("h8_d64/256x256tokens", {8, 0.125f}, {1, 1, 256, 512}, {1, 1, 256, 512});
  add_tokens("h8_d32/100x4096tokens", {8, 0.18f}, {1, 1, 100, 256}, {1, 1, 4096, 256});
  add_tokens("h1_d512/256x256tokens", {1, 0.044f}, {1, 1, 256, 512}, {1, 1, 256, 512});
  add_channels("h1_c48/128x128", {1}, {1, 128, 128, 48});
  add_channels("h8_c48/16x16", {8}, {1, 16, 16, 384});
  return true;
}();

}  // namespace
}  // namespace mend::bench
