// Normalizations, and what else is bound by memory, whose requests to the hardware are counted.
#include <fmt/format.h>

#include "bench/gpu/counts.h"
#include "engine/gpu.h"
#include "engine/ladder.h"
#include "kernels/normalization/adaptive_instance.h"
#include "kernels/normalization/batch_norm.h"
#include "kernels/normalization/global_response.h"
#include "kernels/normalization/gradient.h"
#include "kernels/normalization/normalization.h"
#include "kernels/pool/pool.h"
#include "kernels/rearrange/rearrange.h"
#include "kernels/ssim/ssim.h"

namespace mend::bench {
namespace {

/// `op` on inputs of these shapes, all kernels that it launches. The first input is x, those like it count
/// as images too, the others as weights.
CountedCase counted(const AnyOp& op, const std::string& label, const Shapes& in) {
  const std::string name = fmt::format("{}/cuda/{}/{}x{}/f32", op.name(), label, in[0].h, in[0].w);
  return {name, [=] {
            CountedProblem problem{.rung = fmt::format("{}/cuda", op.name()), .sums_kernels = true};
            Tensors inputs;
            for (const Shape& shape : in) {
              inputs.push_back(Tensor::zeros(shape, DType::kF32, gpu(0)));
              (shape == in[0] ? problem.x_bytes : problem.weight_bytes) += inputs.back().bytes();
            }
            const Tensor y = mend::apply(op, Inputs(inputs));
            gpu(0).synchronize();
            problem.y_bytes = y.bytes();
            return problem;
          }};
}

}  // namespace

std::vector<CountedCase> normalization_counts() {
  std::vector<CountedCase> cases;
  for (const auto& [side, channels] : {std::pair{128, 48}, {64, 180}, {32, 384}}) {
    const Shape x{1, side, side, channels}, each = vector_shape(channels);
    const std::string label = fmt::format("c{}", channels);
    cases.push_back(counted(op::LayerNorm{}, label, {x, each, each}));
    cases.push_back(counted(op::PixelNormGradient{}, label, {x, x, each}));
  }
  const Shape x{1, 128, 128, 64}, each = vector_shape(64);
  cases.push_back(counted(op::Softmax{}, "c64", {x}));
  cases.push_back(counted(op::Softmax{}, "c1024", {{1, 16, 64, 1024}}));
  cases.push_back(counted(op::Softmax{}, "c4096", {{1, 4, 64, 4096}}));
  cases.push_back(counted(op::GroupNorm{.groups = 32}, "g32c64", {x, each, each}));
  cases.push_back(counted(op::GroupNorm{.groups = 64}, "g64c64", {x, each, each}));
  cases.push_back(counted(op::BatchStatistics{}, "c64", {x}));
  cases.push_back(counted(op::BatchNorm{}, "c64", {x, {1, 1, 2, 64}, each, each}));
  cases.push_back(counted(op::AdaptiveInstanceNorm{}, "c64", {x, x}));
  cases.push_back(counted(op::GlobalResponseNorm{}, "c64", {x, each, each}));
  cases.push_back(counted(op::Demodulate{}, "512to512", {{512, 3, 3, 512}, {1, 1, 1, 512}}));
  cases.push_back(counted(op::BoxMean{24, 24}, "24x24c32", {{1, 128, 128, 32}}));
  const Shape picture{1, 128, 128, 3};
  cases.push_back(counted(op::SsimLoss{}, "c3", {picture, picture}));
  cases.push_back(counted(op::SsimLossGradient{}, "c3", {picture, picture}));
  cases.push_back(counted(op::Transpose{}, "c256", {{1, 1, 4096, 256}}));
  return cases;
}

}  // namespace mend::bench
