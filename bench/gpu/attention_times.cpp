// Attention in the layers of networks that restore.
#include <fmt/format.h>

#include <span>
#include <utility>

#include "bench/gpu/times.h"
#include "bench/one_op.h"
#include "engine/gpu.h"
#include "engine/ladder.h"
#include "kernels/attention/attention.h"
#include "kernels/attention/gradient.h"

namespace mend {
namespace {

/// Every CUDA rung of a ladder on f32 tensors.
template <class Op, class Kernel>
void time_rungs(std::span<const Variant<Op, Kernel>> ladder, const Op& op, const Shapes& in,
                const std::string& layer, const std::string& word) {
  for (const auto& rung : ladder) {
    const std::string name = fmt::format("{}/{}", rung.name, layer);
    if (rung.device != DeviceKind::kCuda || !rung.refuses(op, in).empty()) continue;
    if (name.find(word) == std::string::npos) continue;
    force_variant(std::string(op.kName), std::string(rung.name.substr(op.kName.size() + 1)));
    Tensors inputs;
    for (const Shape& shape : in) inputs.push_back(bench::wave(shape).on(gpu(0)));
    const Tensor y = mend::apply(op, Inputs(inputs));
    report(name, seconds_of([&] { op.forward(inputs, y, {}); }), op.cost(in));
    clear_forced_variants();
  }
}

void time_window_attention(const op::WindowAttention& op, int n, int side, int channels,
                           const std::string& word) {
  const Shape x{n, side, side, channels};
  const std::string layer =
      fmt::format("{}x{}of{}x{}/{}c{}/{}x{}x{}", op.window_h, op.window_w, op.key_window_h(),
                  op.key_window_w(), op.heads, channels / op.heads, n, side, side);
  time_rungs(window_attention_ladder(), op, {x, x, x, {1, op.heads, op.keys(), op.queries()}},
             layer, word);
}

}  // namespace

/// SwinIR, its light one, SCUNet or Uformer, HAT and its overlapping windows, DAT; then Restormer's levels, and
/// CodeFormer's transformer.
void time_attention(const std::string& word) {
  constexpr WindowMask kMask = WindowMask::kMinus100;
  const op::WindowAttention swin{8, 8, 4, 4, 6, 0.2f, kMask};
  time_window_attention(swin, 1, 64, 180, word);
  time_window_attention(swin, 1, 256, 180, word);
  time_window_attention(swin, 1, 256, 60, word);
  time_window_attention({8, 8, 4, 4, 2, 0.2f, kMask}, 1, 128, 64, word);
  time_window_attention({16, 16, 8, 8, 6, 0.2f, kMask}, 1, 64, 180, word);
  time_window_attention({16, 16, 0, 0, 6, 0.2f, WindowMask::kNone, false, 24, 24}, 1, 64, 180,
                        word);
  time_window_attention({8, 32, 4, 16, 3, 0.2f, kMask}, 1, 64, 90, word);
  for (const auto& [heads, side] : {std::pair(1, 256), {2, 128}, {4, 64}, {8, 32}}) {
    const Shape x{1, side, side, 48 * heads};
    time_rungs(channel_attention_ladder(), op::ChannelAttention{heads},
               {x, x, x, vector_shape(heads)}, fmt::format("{}c48/1x{}x{}", heads, side, side),
               word);
  }
  for (const int tokens : {256, 4096}) {
    const Shape x{1, 1, tokens, 512};
    time_rungs(attention_ladder(), op::Attention{8, 0.1f}, {x, x, x},
               fmt::format("8c64/{}", tokens), word);
  }
  const Shape x{4, 64, 64, 180};
  const op::SplitWindows split{swin};
  time_rungs(split_windows_ladder(), split, {x}, "6c30/4x64x64", word);
  time_rungs(merge_windows_ladder(), op::MergeWindows{swin, false, 64, 64}, {split.shape({x})},
             "6c30/4x64x64", word);
  time_rungs(mask_windows_ladder(), op::MaskWindows{swin, 64, 64}, {{256, 6, 64, 64}},
             "6c30/4x64x64", word);
}

}  // namespace mend
