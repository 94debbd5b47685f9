// Attention's layers whose requests to the hardware are counted.
#include "bench/gpu/counts.h"
#include "engine/gpu.h"
#include "engine/ladder.h"
#include "kernels/attention/attention.h"

namespace mend::bench {
namespace {

/// Runs `op` by `rung` on zeros; the last input is the bias or temperature.
template <class Op>
CountedProblem run(const Op& op, const std::string& rung, const Shapes& in, double flops,
                   bool sums_kernels) {
  force_variant(std::string(Op::kName), rung);
  Tensors inputs;
  CountedProblem problem{
      .rung = std::string(Op::kName) + "/" + rung, .flops = flops, .sums_kernels = sums_kernels};
  for (const Shape& shape : in) {
    inputs.push_back(Tensor::zeros(shape, inputs.size() < 3 ? op.type : DType::kF32, gpu(0)));
    (inputs.size() < 4 ? problem.x_bytes : problem.weight_bytes) += inputs.back().bytes();
  }
  const Tensor y = mend::apply(op, Inputs(inputs));
  gpu(0).synchronize();
  problem.y_bytes = y.bytes();
  return problem;
}

CountedCase windows(const std::string& rung, int side, int channels, op::WindowAttention op) {
  const std::string keys =
      op.keys() == op.queries() ? "" : fmt::format("of{}x{}", op.key_window_h(), op.key_window_w());
  const std::string name =
      fmt::format("window_attention/{}/{}x{}{}/{}c{}/{}x{}/{}", rung, op.window_h, op.window_w,
                  keys, op.heads, channels / op.heads, side, side, name_of(op.type));
  return {name, [=] {
            const Shape x{1, side, side, channels};
            const double flops = 4.0 * side * side * op.keys() * channels;
            return run(op, rung, {x, x, x, {1, op.heads, op.keys(), op.queries()}}, flops, false);
          }};
}

}  // namespace

std::vector<CountedCase> attention_counts() {
  constexpr WindowMask kMask = WindowMask::kMinus100;
  op::WindowAttention wide{16, 16, 0, 0, 6};
  wide.kv_window_h = wide.kv_window_w = 24;
  const auto narrow = [](op::WindowAttention attention) {
    attention.type = DType::kF16;
    return attention;
  };
  std::vector<CountedCase> cases{
      windows("cuda_naive", 16, 180, {8, 8, 4, 4, 6, 1, kMask}),
      windows("cuda_split", 64, 180, {8, 8, 4, 4, 6, 1, kMask}),
      windows("cuda_fused", 64, 180, {8, 8, 4, 4, 6, 1, kMask}),
      windows("cuda_fused", 64, 60, {8, 8, 4, 4, 6, 1, kMask}),
      windows("cuda_fused", 64, 180, {16, 16, 8, 8, 6, 1, kMask}),
      windows("cuda_fused", 32, 180, wide),
      windows("cuda_f16", 64, 180, narrow({8, 8, 4, 4, 6, 1, kMask})),
      windows("cuda_f16", 64, 60, narrow({8, 8, 4, 4, 6, 1, kMask})),
      windows("cuda_f16", 64, 180, narrow({16, 16, 8, 8, 6, 1, kMask})),
  };
  for (const int heads : {1, 4}) {
    const int side = heads == 1 ? 128 : 32;
    cases.push_back(
        {fmt::format("channel_attention/cuda_split/{}c48/{}x{}/f32", heads, side, side), [=] {
           const Shape x{1, side, side, 48 * heads};
           const double flops = 4.0 * side * side * 48 * 48 * heads;
           return run(op::ChannelAttention{heads}, "cuda_split", {x, x, x, vector_shape(heads)},
                      flops, true);
         }});
  }
  cases.push_back({"channel_attention/cuda_split/1c48/128x128/f16", [] {
                     const Shape x{1, 128, 128, 48};
                     return run(op::ChannelAttention{1, DType::kF16}, "cuda_split",
                                {x, x, x, vector_shape(1)}, 4.0 * 128 * 128 * 48 * 48, true);
                   }});
  cases.push_back({"attention/cuda_f16/8c64/1024/f16", [] {
                     const Shape x{1, 1, 1024, 512};
                     return run(op::Attention{8, 0.125f, DType::kF16}, "cuda_f16", {x, x, x},
                                4.0 * 1024 * 1024 * 512, false);
                   }});
  cases.push_back({"attention/cuda_fused/8c64/1024/f32", [] {
                     const Shape x{1, 1, 1024, 512};
                     return run(op::Attention{8, 0.125f}, "cuda_fused", {x, x, x},
                                4.0 * 1024 * 1024 * 512, false);
                   }});
  return cases;
}

}  // namespace mend::bench
