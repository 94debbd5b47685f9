// Runs each case of the table once under callgrind and has it count the instructions of that run alone:
//
//   valgrind --tool=callgrind --instr-atstart=no --callgrind-out-file=FILE mend_callgrind
//
// tools/callgrind.py does that and holds the counts against bench/baseline.json. One thread and AVX2
// on every machine (valgrind knows no AVX-512), so a count depends on the compiler and the code alone.
#include <fmt/format.h>
#include <hwy/targets.h>
#include <valgrind/callgrind.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "bench/one_op.h"
#include "engine/parallel.h"
#include "kernels/activation/activation.h"
#include "kernels/attention/attention.h"
#include "kernels/channels/channels.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv_transpose2d/conv_transpose2d.h"
#include "kernels/deform_conv2d/deform_conv2d.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/fft/fft.h"
#include "kernels/grid_sample/grid_sample.h"
#include "kernels/inverted_residual/inverted_residual.h"
#include "kernels/matmul/matmul.h"
#include "kernels/norm_linear/norm_linear.h"
#include "kernels/norm_mlp/norm_mlp.h"
#include "kernels/normalization/normalization.h"
#include "kernels/pixel_shuffle/pixel_shuffle.h"
#include "kernels/pool/pool.h"
#include "kernels/resample/resample.h"

namespace mend::bench {
namespace {

struct Case {
  const char *rung, *label;
  AnyOp op;
  Shapes inputs, constants;
};

op::Conv2d conv(int outputs, int kernel, int groups = 1) {
  op::Conv2d op;
  op.kernel_h = op.kernel_w = kernel;
  op.padding_h = op.padding_w = kernel / 2;
  op.outputs = outputs;
  op.groups = groups;
  return op;
}

op::ConvTranspose2d conv_transpose(int stride) {
  op::ConvTranspose2d op;
  op.stride = stride;
  return op;
}

op::Resample resample(ResampleMode mode, int size) {
  op::Resample op;
  op.mode = mode;
  op.height = op.width = size;
  return op;
}

op::DeformConv2d deform_conv() {
  op::DeformConv2d op;
  op.kernel_h = op.kernel_w = 3;
  op.padding_h = op.padding_w = 1;
  return op;
}

/// GELU gates half of the `hidden` channels.
op::InvertedResidual block(int hidden, int outputs) {
  return {.norm = {},
          .expand = conv(hidden, 1),
          .depthwise = conv(hidden, 3, hidden),
          .gates = true,
          .gate = {ActivationKind::kGelu},
          .projects = true,
          .project = conv(outputs, 1)};
}

op::NormMlp gated_mlp(int hidden, int outputs) {
  return {.norm = {}, .expand = conv(hidden, 1), .contract = conv(outputs, 1), .gates = true};
}

/// Images so small that all cases take seconds under callgrind, and awkward enough to have remainders.
std::vector<Case> cases() {
  const Shape image64{1, 20, 26, 64}, image32{1, 32, 32, 32}, tokens{1, 16, 16, 60};
  const Activation gelu{ActivationKind::kGelu}, silu{ActivationKind::kSilu};
  const auto mask = WindowMask::kMinus100;
  const Shape v60 = vector_shape(60), v64 = vector_shape(64);
  // clang-format off
  return {
      {"conv2d/direct",    "64to64_k3",  conv(64, 3),  {image64},           {{64, 3, 3, 64}, v64}},
      {"conv2d/direct",    "3to64_k3",   conv(64, 3),  {{1, 20, 26, 3}},    {{64, 3, 3, 3}, v64}},
      {"conv2d/few_outputs", "64to3_k3", conv(3, 3), {image64}, {{3, 3, 3, 64}, vector_shape(3)}},
      {"conv2d/direct",    "64to3_k3",   conv(3, 3),   {image64},           {{3, 3, 3, 64}, vector_shape(3)}},
      {"conv2d/direct",    "64to128_k1", conv(128, 1), {image64},           {{128, 1, 1, 64}, vector_shape(128)}},
      {"conv2d/winograd4", "64to64_k3",  conv(64, 3),  {image64},           {{64, 3, 3, 64}, v64}},
      {"conv2d/winograd6", "64to64_k3",  conv(64, 3),  {image64},           {{64, 3, 3, 64}, v64}},
      {"conv2d/depthwise", "64_k3",      conv(64, 3, 64), {image64},        {{64, 3, 3, 1}, v64}},
      {"conv_transpose2d/direct", "32to16_k4s2", conv_transpose(2), {image32}, {{16, 4, 4, 32}, vector_shape(16)}},
      {"deform_conv2d/columns", "16to16_k3", deform_conv(), {{1, 16, 16, 16}, {1, 16, 16, 18}, {1, 16, 16, 9}}, {{16, 3, 3, 16}, vector_shape(16)}},
      {"matmul/panels",    "96x64x80",   op::Matmul{}, {{1, 1, 96, 64}, {1, 1, 64, 80}}, {}},
      {"norm_linear/blocked", "60to180", op::NormLinear{{}, conv(180, 1)}, {tokens}, {{180, 1, 1, 60}, vector_shape(180), {}, {}, v60, v60}},
      {"norm_mlp/panels",  "60to120_gate", gated_mlp(120, 60), {tokens},    {{120, 1, 1, 60}, vector_shape(120), {60, 1, 1, 60}, v60, {}, v60, v60}},
      {"inverted_residual/strips", "60to120_gate", block(120, 60), {tokens}, {v60, v60, {120, 1, 1, 60}, vector_shape(120), {120, 3, 3, 1}, vector_shape(120), {60, 1, 1, 60}, v60}},
      {"layer_norm/simd",  "64",         op::LayerNorm{}, {image64},        {v64, v64}},
      {"group_norm/simd",  "64_g8",      op::GroupNorm{8}, {image64},       {v64, v64}},
      {"softmax/simd",     "64",         op::Softmax{}, {image64},          {}},
      {"window_attention/fused", "w8_h6_d10", op::WindowAttention{8, 8, 4, 4, 6, 0.3f, mask}, {tokens, tokens, tokens}, {{1, 6, 64, 64}}},
      {"attention/fused",  "h2_d32",     op::Attention{2, 0.18f}, {{1, 1, 64, 64}, {1, 1, 64, 64}, {1, 1, 64, 64}}, {}},
      {"channel_attention/blocks", "h1_c48", op::ChannelAttention{1}, {{1, 16, 16, 48}, {1, 16, 16, 48}, {1, 16, 16, 48}}, {vector_shape(1)}},
      {"activation/simd",  "gelu",       op::Activate{gelu}, {image64},     {}},
      {"activation/simd",  "silu",       op::Activate{silu}, {image64},     {}},
      {"binary/simd",      "add",        op::Binary{BinaryKind::kAdd}, {image64, image64}, {}},
      {"affine/simd",      "clamp",      op::Affine{255, 0.5f, 0, 255}, {image64}, {}},
      {"resample/rows",    "nearest_x2", resample(ResampleMode::kNearest, 64), {image32}, {}},
      {"resample/simd",    "bilinear_x2", resample(ResampleMode::kBilinear, 64), {image32}, {}},
      {"resample/simd",    "bicubic_x2", resample(ResampleMode::kBicubic, 64), {image32}, {}},
      {"pixel_shuffle/rows",   "48_x4",  op::PixelShuffle{4},   {{1, 32, 32, 48}}, {}},
      {"pixel_unshuffle/rows", "3_x4",   op::PixelUnshuffle{4}, {{1, 64, 64, 3}},  {}},
      {"pool/simd",        "max2",       op::Pool{},       {image32},       {}},
      {"adaptive_pool/simd", "mean",     op::AdaptivePool{}, {image32},     {}},
      {"real_fft2/bundles", "32",        op::RealFft2{},   {image32},       {}},
  };
  // clang-format on
}

void measure(const Case& one) {
  const std::string rung(one.rung);
  const std::string variant = rung.substr(rung.find('/') + 1), op = rung.substr(0, rung.find('/'));
  OneOp prepared(one.op, one.inputs, one.constants, variant);
  force_variant(op, variant);  // operations that choose at each run
  const std::string name = fmt::format("{}/{}", one.rung, one.label);
  CALLGRIND_START_INSTRUMENTATION;
  CALLGRIND_ZERO_STATS;
  prepared.run();
  CALLGRIND_DUMP_STATS_AT(name.c_str());
  CALLGRIND_STOP_INSTRUMENTATION;
  clear_forced_variants();
}

int run(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--compiler") == 0) {
#ifdef __clang__
    std::puts("clang++ " __clang_version__);
#else
    std::puts("g++ " __VERSION__);
#endif
    return 0;
  }
  if (argc != 1) {
    std::fputs("usage: mend_callgrind [--compiler]\n", stderr);
    return 2;
  }
  hwy::SetSupportedTargetsForTest(HWY_AVX2);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  set_threads(1);
  for (const Case& one : cases()) measure(one);
  return 0;
}

}  // namespace
}  // namespace mend::bench

int main(int argc, char** argv) {
  try {
    return mend::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mend_callgrind: %s\n", error.what());
    return 1;
  }
}
