// Runs one kernel on one problem on the GPU, so that what it asked of the hardware can be counted:
// tools/gpu_budget.py starts it under the simulator, once a case.
//
//   mend_gpu_counts           the cases, a line each
//   mend_gpu_counts CASE      runs it; prints the kernel's name and the compulsory bytes as JSON
#include "bench/gpu/counts.h"

#include <fmt/format.h>

#include <cstdio>
#include <string_view>

#include "engine/gpu.h"
#include "kernels/conv2d/variant.h"

namespace mend::bench {
namespace {

struct Case {
  const char* name;
  const char* rung;
  DType type;
  int side, C, K;
  int batch = 1;
};

// Sizes of real layers; the slow rungs on smaller images, for the simulator's sake.
constexpr Case kCases[] = {
    {"conv2d/cuda_naive/64to64/16x16/f32", "conv2d/cuda_naive", DType::kF32, 16, 64, 64},
    {"conv2d/cuda_tiled/64to64/32x32/f32", "conv2d/cuda_tiled", DType::kF32, 32, 64, 64},
    {"conv2d/cuda_mma/64to64/128x128/f16", "conv2d/cuda_mma", DType::kF16, 128, 64, 64},
    {"conv2d/cuda_mma/64to64/512x512/f16", "conv2d/cuda_mma", DType::kF16, 512, 64, 64},
    {"conv2d/cuda_mma/64to64/128x128/bf16", "conv2d/cuda_mma", DType::kBF16, 128, 64, 64},
    {"conv2d/cuda_mma/128to128/64x64/f16", "conv2d/cuda_mma", DType::kF16, 64, 128, 128},
    {"conv2d/cuda_mma/64to3/128x128/f16", "conv2d/cuda_mma", DType::kF16, 128, 64, 3},
    {"conv2d/cuda_f16/64to64/128x128/f16", "conv2d/cuda_f16", DType::kF16, 128, 64, 64},
    {"conv2d/cuda_f16/64to64/512x512/f16", "conv2d/cuda_f16", DType::kF16, 512, 64, 64},
    {"conv2d/cuda_f16/128to128/64x64/f16", "conv2d/cuda_f16", DType::kF16, 64, 128, 128},
    {"conv2d/cuda_f16/64to3/128x128/bf16", "conv2d/cuda_f16", DType::kBF16, 128, 64, 3},
    {"conv2d/cuda_tf32/64to64/128x128/f32", "conv2d/cuda_tf32", DType::kF32, 128, 64, 64},
    {"conv2d/cuda_tf32/48to48/48x48x16/f32", "conv2d/cuda_tf32", DType::kF32, 48, 48, 48, 16},
    {"conv2d/cuda_tf32/24to24/64x64x16/f32", "conv2d/cuda_tf32", DType::kF32, 64, 24, 24, 16},
};

const Conv2dVariant& rung_called(std::string_view name) {
  for (const Conv2dVariant& rung : conv2d_ladder()) {
    if (rung.name == name) return rung;
  }
  throw UsageError(fmt::format("no rung is called {}", name));
}

/// A 3x3 layer with bias and leaky ReLU.
CountedProblem run(const Case& c) {
  op::Conv2d op;
  op.kernel_h = op.kernel_w = 3;
  op.padding_h = op.padding_w = 1;
  op.outputs = c.K;
  op.type = c.type;
  op.activation = {ActivationKind::kLeakyRelu, 0.2f};
  op.variant = &rung_called(c.rung);
  const Tensor x = Tensor::zeros({c.batch, c.side, c.side, c.C}, c.type, gpu(0));
  Tensor weight = Tensor::zeros({c.K, 3, 3, c.C}, DType::kF32, gpu(0));
  const Tensor bias = Tensor::zeros(vector_shape(c.K), DType::kF32, gpu(0));
  if (op.variant->kernel.packs()) weight = apply(op::PackConv2dWeight{op}, {weight});
  const Tensor y = apply(op, {x, weight, bias});
  gpu(0).synchronize();
  return {c.rung, x.bytes(), weight.bytes(), y.bytes()};
}

}  // namespace

std::vector<CountedCase> conv2d_counts() {
  std::vector<CountedCase> cases;
  for (const Case& c : kCases) cases.push_back({c.name, [&c] { return run(c); }});
  return cases;
}

}  // namespace mend::bench

int main(int argc, char** argv) {
  using namespace mend;
  try {
    for (const auto& room :
         {bench::conv2d_counts(), bench::attention_counts(), bench::normalization_counts()})
      for (const bench::CountedCase& c : room) {
        if (argc < 2) std::puts(c.name.c_str());
        if (argc != 2 || std::string_view(argv[1]) != c.name) continue;
        const bench::CountedProblem problem = c.run();
        fmt::print(
            "{{\"rung\": \"{}\", \"x_bytes\": {}, \"weight_bytes\": {}, \"y_bytes\": {}, "
            "\"flops\": {}, "
            "\"sums_kernels\": {}}}\n",
            problem.rung, problem.x_bytes, problem.weight_bytes, problem.y_bytes, problem.flops,
            problem.sums_kernels);
        return 0;
      }
    if (argc < 2) return 0;
    fmt::print(stderr, "mend_gpu_counts: there is no case {}\n", argv[1]);
    return static_cast<int>(ExitCode::kUsage);
  } catch (const Error& error) {
    fmt::print(stderr, "mend_gpu_counts: {}\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
