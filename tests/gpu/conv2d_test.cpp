// The CUDA rungs of conv2d against the reference on the CPU.
#include <doctest/doctest.h>

#include <vector>

#include "kernels/conv2d/variant.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/gradient_tape.h"
#include "tests/gpu/conv2d_problem.h"
#include "tests/gpu/on_gpu.h"
#include "tests/kernels/conv2d_cases.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {
namespace {

constexpr DType kTypes[] = {DType::kF32, DType::kF16, DType::kBF16};

/// What the tiles of the tensor cores could stumble over. In f16: 12x16 pixels, 64 outputs or 16, 16 channels
/// at a time, patches of 64. In TF32: 8, 16 or 32 rows of 16 or 8 pixels, 8 to 64 outputs, 8 channels at a
/// time, patches of 32.
std::vector<ConvCase> around_the_tiles() {
  op::Conv2d cut_below = conv(3, 32, 1);
  cut_below.padding_bottom = 0;
  constexpr PaddingMode kReflect = PaddingMode::kReflect, kReplicate = PaddingMode::kReplicate;
  // clang-format off
  return {
      {"one tile",                   {1, 12, 16, 64},  conv(3, 64, 1)},
      {"one more each way",          {1, 13, 17, 64},  conv(3, 64, 1)},
      {"one less each way",          {1, 11, 15, 64},  conv(3, 64, 1), true, true},
      {"more tiles, batch of 2",     {2, 25, 34, 16},  conv(3, 16, 1), false},
      {"a chunk and a bit",          {1, 5, 18, 72},   conv(3, 24, 1)},
      {"three chunks",               {1, 5, 18, 192},  conv(3, 17, 1)},
      {"two blocks of outputs",      {1, 14, 9, 24},   conv(3, 128, 1), true, true},
      {"aligned, not whole",         {1, 14, 9, 8},    conv(3, 72, 1), true, true},
      {"no padding, aligned",        {1, 15, 20, 32},  conv(3, 32)},
      {"padding 3, aligned",         {1, 9, 9, 32},    conv(3, 32, 3)},
      {"no padding below",           {2, 14, 18, 32},  cut_below},
      {"reflect, aligned",           {1, 14, 18, 32},  conv(3, 32, 1, 1, 1, 1, kReflect)},
      {"replicate, aligned",         {1, 2, 2, 32},    conv(3, 32, 1, 1, 1, 1, kReplicate)},
      {"all of the epilogue",        {1, 13, 18, 32},
       with(conv(3, 64, 1), {ActivationKind::kLeakyRelu, 0.2f}, 0.3f), true, true},
      {"gelu and residual",          {1, 13, 18, 32},
       with(conv(3, 64, 1), {ActivationKind::kGelu}, 0.3f), true, true},
      {"many tiles, weights stay",   {530, 2, 3, 8},  conv(3, 20, 1)},
      {"many tiles, 16 outputs",     {530, 3, 2, 24}, conv(3, 5, 1), true, true},
      {"8x8 images",                 {3, 8, 8, 64},   conv(3, 64, 1), true, true},
      {"16x16 images, 48 channels",  {2, 16, 16, 48}, conv(3, 48, 1)},
      {"24 channels, large",         {1, 40, 70, 24}, conv(3, 24, 1)},
      {"narrow and high",            {2, 37, 7, 12},  conv(3, 30, 1)},
      {"prelu",                      {1, 13, 18, 32},
       with(conv(3, 64, 1), {ActivationKind::kPrelu}), true, true},
  };
  // clang-format on
}

/// The same for the products of 1x1 kernels and gathered taps, and for depthwise strips.
std::vector<ConvCase> of_pixels_and_channels() {
  constexpr PaddingMode kReflect = PaddingMode::kReflect, kReplicate = PaddingMode::kReplicate;
  // clang-format off
  return {
      {"1x1, whole tiles",           {1, 16, 16, 64},  conv(1, 128)},
      {"1x1, one more each way",     {1, 3, 43, 33},   conv(1, 129), true, true},
      {"1x1, many tiles",            {1, 7, 10007, 4}, conv(1, 6), true, true},
      {"1x1, 180 channels",          {2, 4, 8, 180},   conv(1, 360)},
      {"1x1, 3 outputs",             {1, 9, 31, 48},   conv(1, 3)},
      {"1x1, gelu and residual",     {1, 13, 18, 32},
       with(conv(1, 72), {ActivationKind::kGelu}, 0.3f), true, true},
      {"1x1, prelu",                 {1, 13, 18, 32},
       with(conv(1, 60), {ActivationKind::kPrelu}), true, true},
      {"1x1, padding",               {1, 4, 5, 8},     conv(1, 16, 1)},
      {"depthwise, whole tile",      {1, 35, 66, 32},  conv(3, 32, 1, 1, 1, 32)},
      {"depthwise, 5x5, small",      {2, 7, 9, 40},    conv(5, 40, 2, 1, 1, 40), true, true},
      {"depthwise, 7x7, reflect",    {1, 12, 20, 20},  conv(7, 20, 3, 1, 1, 20, kReflect)},
      {"depthwise, no padding",      {1, 17, 20, 132}, conv(3, 132, 0, 1, 1, 132), false},
      {"depthwise, replicate, gelu", {1, 9, 20, 12},
       with(conv(3, 12, 1, 1, 1, 12, kReplicate), {ActivationKind::kGelu}, 0.5f), true, true},
      {"2x2 stride 2",               {2, 18, 26, 24},  conv(2, 48, 0, 2)},
      {"3x3 stride 2",               {2, 18, 26, 24},  conv(3, 48, 1, 2)},
  };
  // clang-format on
}

}  // namespace

TEST_CASE("conv2d on the GPU: every rung matches the reference in every type") {
  for (const DType type : kTypes) {
    CAPTURE(name_of(type));
    const bool is_f32 = type == DType::kF32;
    std::vector<ConvCase> cases = awkward_convolutions();
    const auto add = [&cases](const std::vector<ConvCase>& more) {
      cases.insert(cases.end(), more.begin(), more.end());
    };
    add(around_the_tiles());
    add(of_pixels_and_channels());
    std::vector<int> tried(conv2d_ladder().size(), 0);
    for (const ConvCase& c : cases) {
      CAPTURE(c);
      const Conv2dProblem problem(c, type);
      for (std::size_t i = 0; i < tried.size(); ++i) {
        const Conv2dVariant& rung = conv2d_ladder()[i];
        CAPTURE(rung.name);
        if (rung.device != DeviceKind::kCuda) continue;
        if (!rung.refuses(problem.op, shapes_of(problem.inputs)).empty()) continue;
        check_rung(problem, rung);
        ++tried[i];
      }
    }
    for (std::size_t i = 0; i < tried.size(); ++i) {
      const std::string_view name = conv2d_ladder()[i].name;
      CAPTURE(name);
      if (name == "conv2d/cuda_naive") CHECK(tried[i] == static_cast<int>(cases.size()));
      if (name == "conv2d/cuda_tiled") CHECK((tried[i] > 0) == is_f32);
      if (name == "conv2d/cuda_winograd4") CHECK((tried[i] > 15) == is_f32);
      if (name == "conv2d/cuda_mma") CHECK((tried[i] > 0) == !is_f32);
      if (name == "conv2d/cuda_tf32") CHECK((tried[i] > 0) == is_f32);
      if (name == "conv2d/cuda_f16") CHECK((tried[i] > 0) == !is_f32);
      if (name == "conv2d/cuda_depthwise") CHECK(tried[i] > 5);
      if (name == "conv2d/cuda_tf32_gemm") CHECK((tried[i] > 50) == is_f32);
      if (name == "conv2d/cuda_f16_gemm") CHECK((tried[i] > 50) == !is_f32);
    }
  }
}

TEST_CASE("conv2d on the GPU: the same bits on every run, wherever a pixel lies in a tile") {
  // Winograd's squares of 4x4 outputs are counted from the first pixel on.
  for (const DType type : kTypes) {
    CAPTURE(name_of(type));
    const Conv2dProblem problem({"", {1, 27, 35, 40}, conv(3, 48, 0)}, type);
    for (const Conv2dVariant& rung : conv2d_ladder()) {
      CAPTURE(rung.name);
      if (rung.device != DeviceKind::kCuda) continue;
      if (!rung.refuses(problem.op, shapes_of(problem.inputs)).empty()) continue;
      std::vector<Tensor> operands = problem.on_gpu();
      const auto run = [&](const Shape& shape) {
        const Tensor y = Tensor::empty(shape, type, gpu(0));
        problem.run(rung, operands, y);
        return to_host(y);
      };
      const Tensor whole = run(problem.expected.shape());
      CHECK(identical(run(problem.expected.shape()), whole));
      const int tile = rung.kernel.tile, top = tile == 1 ? 5 : 2 * tile,
                left = tile == 1 ? 3 : tile;
      operands[op::Conv2d::kX] = operands[op::Conv2d::kX].crop(top, left, 18, 22);
      CHECK(identical(run({1, 16, 20, 48}), whole.crop(top, left, 16, 20)));
    }
  }
}

TEST_CASE("conv2d on the GPU: blocks take several tiles while weights stream") {
  // Three pieces of 128 bytes of channels.
  for (const auto& [type, channels] : {std::pair{DType::kF32, 72}, {DType::kBF16, 136}}) {
    const Conv2dProblem problem({"", {140, 3, 3, channels}, conv(3, 100, 1)}, type);
    for (const Conv2dVariant& rung : conv2d_ladder()) {
      if (rung.name != "conv2d/cuda_tf32" && rung.name != "conv2d/cuda_f16") continue;
      if (!rung.refuses(problem.op, shapes_of(problem.inputs)).empty()) continue;
      const Tensor y = Tensor::empty(problem.expected.shape(), type, gpu(0));
      problem.run(rung, problem.on_gpu(), y);
      CHECK(relative_error(to_host(y), problem.expected) <= rung.error_within);
    }
  }
}

TEST_CASE("conv2d on the GPU: Winograd is exact in f32, forward and in the gradient of x") {
  const Tensor x = random_tensor({2, 11, 19, 36}, 1), weight = random_tensor({40, 3, 3, 36}, 2);
  const Tensor dy = random_tensor({2, 11, 19, 40}, 3);
  const auto gradient = [&](const Tensor& at, const Tensor& of, const Tensor& probe) {
    const auto tape = make_gradient_tape();
    const Tensor watched = tape->watch(at);
    return tape->gradients({apply(conv(3, 40, 1), {watched, of})}, {probe}, {watched})[0];
  };
  const Tensor expected = gradient(x, weight, dy);
  force_variant("conv2d", "cuda_winograd4");
  const Tensor found = gradient(to_gpu(x), to_gpu(weight), to_gpu(dy));
  clear_forced_variants();
  CHECK(relative_error(to_host(found), expected) <= 1e-5);  // in TF32 it were 3e-4
}

TEST_CASE("conv2d on the GPU: where f32 stays f32, Winograd is faster from 32 channels on") {
  const auto fastest_in_f32 = [](int channels) {
    const op::Conv2d op = conv(3, channels, 1);
    const Shapes in{{1, 256, 256, channels}, {channels, 3, 3, channels}};
    const Conv2dVariant* fastest = nullptr;
    for (const Conv2dVariant& rung : conv2d_ladder()) {
      if (rung.device != DeviceKind::kCuda || rung.error_within > 1e-5) continue;
      if (!rung.refuses(op, in).empty()) continue;
      if (fastest == nullptr || rung.seconds(op, in) < fastest->seconds(op, in)) fastest = &rung;
    }
    return fastest->name;
  };
  CHECK(fastest_in_f32(16) == "conv2d/cuda_tiled");
  CHECK(fastest_in_f32(32) == "conv2d/cuda_winograd4");
  CHECK(fastest_in_f32(256) == "conv2d/cuda_winograd4");
}

TEST_CASE("conv2d on the GPU: run at once, it takes the fastest rung that can do the case") {
  const Tensor x = random_tensor({1, 9, 14, 16}, 1), weight = random_tensor({16, 3, 3, 16}, 2);
  op::Conv2d op = conv(3, 16, 1);
  const Tensor expected = apply(op, {x, weight});
  const auto rung = [&] {
    const Shapes typical = op.typical({x.shape(), weight.shape()});
    return choose(conv2d_ladder(), op, typical, DeviceKind::kCuda).name;
  };
  CHECK(relative_error(to_host(apply(op, {to_gpu(x), to_gpu(weight)})), expected) <= 1e-3);
  CHECK(rung() == "conv2d/cuda_tf32");
  op.type = DType::kF16;
  const Tensor y = apply(op, {to_gpu(x, DType::kF16), to_gpu(weight)});
  CHECK(y.dtype() == DType::kF16);
  CHECK(relative_error(to_host(y), expected) <= 1e-3);
  CHECK(rung() == "conv2d/cuda_f16");
  CHECK_THROWS_WITH_AS(apply(op, {converted(x, DType::kF16), weight}), doctest::Contains("conv2d"),
                       UsageError);  // no rung on the CPU computes in f16
}

}  // namespace mend::test
