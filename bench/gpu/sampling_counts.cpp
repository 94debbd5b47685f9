// Fourier transforms, sampling and code books, whose requests to the hardware are counted.
#include <fmt/format.h>

#include <string>

#include "bench/gpu/counts.h"
#include "engine/gpu.h"
#include "engine/ladder.h"
#include "kernels/code_lookup/code_lookup.h"
#include "kernels/deform_conv2d/deform_conv2d.h"
#include "kernels/deform_conv2d/gradient.h"
#include "kernels/fft/fft.h"
#include "kernels/fft/gradient.h"
#include "kernels/fft/spectrum.h"
#include "kernels/grid_sample/gradient.h"
#include "kernels/grid_sample/grid_sample.h"

namespace mend::bench {
namespace {

/// `op` by a rung, all kernels that it launches. The first input is x, the others count as weights.
template <class Op>
CountedCase counted(const Op& op, const std::string& rung, const std::string& label,
                    const Shapes& in) {
  const std::string name =
      fmt::format("{}/{}/{}/{}x{}/f32", Op::kName, rung, label, in[0].h, in[0].w);
  return {
      name, [=] {
        CountedProblem problem{.rung = fmt::format("{}/{}", Op::kName, rung), .sums_kernels = true};
        force_variant(std::string(Op::kName), rung);
        Tensors inputs;
        for (const Shape& shape : in) {
          inputs.push_back(shape.empty() ? Tensor() : Tensor::zeros(shape, DType::kF32, gpu(0)));
          if (shape.empty()) continue;
          (inputs.size() == 1 ? problem.x_bytes : problem.weight_bytes) += inputs.back().bytes();
        }
        const Tensor y = mend::apply(op, Inputs(inputs));
        gpu(0).synchronize();
        clear_forced_variants();
        problem.y_bytes = y.bytes();
        problem.flops = op.cost(in).flops;
        return problem;
      }};
}

}  // namespace

std::vector<CountedCase> sampling_counts() {
  std::vector<CountedCase> cases;
  const auto transforms = [&](const std::string& rung, const Shape& image, int patch) {
    const op::RealFft2 forward{FftNorm::kOrtho, patch};
    const op::InverseRealFft2 inverse{FftNorm::kOrtho, image.w, patch};
    const std::string label = fmt::format("c{}", image.c);
    cases.push_back(counted(forward, rung, label, {image}));
    cases.push_back(counted(inverse, rung, label, {forward.shape({image})}));
  };
  transforms("cuda_lines", {1, 64, 64, 96}, 0);
  transforms("cuda_lines", {1, 120, 90, 96}, 0);
  transforms("cuda_lines", {1, 512, 512, 8}, 0);
  transforms("cuda_patch8", {1, 128, 128, 48}, 8);
  const Shape spectrum{1, 128, 80, 96};
  cases.push_back(counted(op::ComplexMultiply{}, "cuda", "c96", {spectrum, spectrum}));
  cases.push_back(counted(op::SpectralGain{}, "cuda", "c96", {spectrum, {1, 8, 5, 48}}));
  cases.push_back(counted(op::SumRepeats{{1, 8, 5, 48}, true}, "cuda", "c96", {spectrum}));
  const Shape image{1, 128, 128, 64}, grid{1, 128, 128, 2};
  cases.push_back(counted(op::GridSample{}, "cuda_taps", "bilinear_c64", {image, grid}));
  cases.push_back(counted(op::GridSample{.mode = SampleMode::kBicubic}, "cuda_taps", "bicubic_c3",
                          {{1, 128, 128, 3}, grid}));
  cases.push_back(counted(op::GridSampleGridGradient{}, "cuda", "c64", {image, grid, image}));
  cases.push_back(
      counted(op::CodeLookup{}, "cuda_warp", "1024codes", {{1, 16, 16, 1024}, {1, 1, 1024, 256}}));
  const Shape x{1, 64, 64, 64}, offset{1, 64, 64, 18}, mask{1, 64, 64, 9};
  const op::DeformConv2d deform{3, 3, 1, 1, 1};
  cases.push_back(counted(deform, "cuda_columns", "64to64", {x, offset, mask, {64, 3, 3, 64}}));
  cases.push_back(counted(op::DeformOffsetGradient{deform}, "cuda", "64to64",
                          {x, offset, mask, {1, 64, 64, 576}}));
  return cases;
}

}  // namespace mend::bench
