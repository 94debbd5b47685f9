// The CUDA rungs of conv_transpose2d against the reference on the CPU.
#include <doctest/doctest.h>

#include <cmath>
#include <ostream>
#include <vector>

#include "kernels/conv_transpose2d/variant.h"
#include "kernels/elementwise/elementwise.h"
#include "tests/gpu/on_gpu.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {
namespace {

using Op = op::ConvTranspose2d;
constexpr Margins kLayouts[] = {{0, 0}, {3, 2}, {8, 8}};

struct Case {
  const char* name;
  Shape x, weight;
  Op op;
  bool has_bias = true;

  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }
};

// clang-format off
const Case kCases[] = {
    {"one pixel",               {1, 1, 1, 1},   {1, 2, 2, 1},   {.stride = 2}},
    {"2x2, stride 2",           {2, 5, 9, 6},   {18, 2, 2, 6},  {.stride = 2}},
    {"2x2, whole tiles",        {1, 8, 16, 48}, {48, 2, 2, 48}, {.stride = 2}},
    {"2x2, a bit more",         {1, 5, 13, 17}, {17, 2, 2, 17}, {.stride = 2}, false},
    {"2x2, prelu",              {1, 5, 9, 7},   {20, 2, 2, 7},  {.stride = 2, .activation = {ActivationKind::kPrelu}}},
    {"3x3, stride 3",           {1, 4, 5, 4},   {3, 3, 3, 4},   {.stride = 3, .activation = {ActivationKind::kLeakyRelu, 0.1f}}},
    {"1x1, stride 1",           {1, 4, 5, 4},   {3, 1, 1, 4},   {.stride = 1}},
    {"4x4, stride 2",           {1, 5, 19, 7},  {20, 4, 4, 7},  {.stride = 2, .padding = 1}},
    {"3x3, stride 2, padded",   {1, 6, 14, 20}, {70, 3, 3, 20}, {.stride = 2, .padding = 1, .output_padding = 1}},
    {"9x9, stride 4, to gray",  {1, 6, 9, 12},  {1, 9, 9, 12},  {.stride = 4, .padding = 4, .output_padding = 3}},
    {"stride 1",                {1, 7, 11, 5},  {16, 3, 3, 5},  {.stride = 1, .padding = 1}},
    {"kernel below stride",     {1, 4, 9, 3},   {5, 2, 2, 3},   {.stride = 3}},
    {"2x2, output padding",     {1, 4, 9, 3},   {5, 2, 2, 3},   {.stride = 2, .output_padding = 1}},
    {"wide padding",            {1, 6, 8, 4},   {9, 7, 7, 4},   {.stride = 2, .padding = 5}},
    {"oblong kernel",           {1, 6, 8, 4},   {9, 2, 6, 4},   {.stride = 2, .padding = 1}},
    {"2 groups",                {1, 5, 9, 6},   {8, 2, 2, 3},   {.stride = 2, .groups = 2}},
    {"depthwise",               {1, 5, 9, 6},   {6, 4, 4, 1},   {.stride = 2, .padding = 1, .groups = 6}},
};
// clang-format on

std::vector<Tensor> inputs_of(const Case& c) {
  const float bound = 1.5f / std::sqrt(static_cast<float>(c.weight.c * 4));
  std::vector<Tensor> inputs(Op::kSlots);
  inputs[Op::kX] = random_tensor(c.x, 1);
  inputs[Op::kWeight] = apply(op::Affine{bound}, {random_tensor(c.weight, 2)});
  if (c.has_bias) inputs[Op::kBias] = random_tensor(vector_shape(c.weight.n), 3);
  if (c.op.activation.kind == ActivationKind::kPrelu) {
    inputs[Op::kSlope] = random_tensor(vector_shape(c.weight.n), 4);
  }
  return inputs;
}

/// What the reference makes of them.
Tensor expected_of(const Case& c, const std::vector<Tensor>& inputs) {
  Op op = c.op;
  op.variant = &conv_transpose2d_ladder().front();
  op.kernel_h = c.weight.h;
  op.kernel_w = c.weight.w;
  op.outputs = c.weight.n;
  const Tensor y = Tensor::empty(op.shape(shapes_of(inputs)));
  op.forward(inputs, y, {});
  return y;
}

}  // namespace

TEST_CASE(
    "conv_transpose2d on the GPU: every rung matches the reference, always with the same bits") {
  std::vector<int> tried(conv_transpose2d_ladder().size(), 0);
  for (const Case& c : kCases) {
    CAPTURE(c);
    const std::vector<Tensor> inputs = inputs_of(c);
    const Tensor expected = expected_of(c, inputs);
    std::vector<Tensor> on_gpu;
    for (const Tensor& input : inputs) on_gpu.push_back(to_gpu(input));
    for (std::size_t i = 0; i < tried.size(); ++i) {
      const auto& rung = conv_transpose2d_ladder()[i];
      CAPTURE(rung.name);
      if (rung.device != DeviceKind::kCuda) continue;
      if (!rung.refuses(c.op, shapes_of(inputs)).empty()) continue;
      ++tried[i];
      Tensor first;
      for (const Margins& margins : kLayouts) {
        CAPTURE(margins.before);
        const GuardedOnGpu x(inputs[Op::kX], DType::kF32, margins);
        const GuardedOnGpu y(expected.shape(), DType::kF32, margins);
        std::vector<Tensor> operands = on_gpu;
        operands[Op::kX] = x.tensor();
        Op fixed = c.op;
        fixed.variant = &rung;
        fixed.kernel_h = c.weight.h;
        fixed.kernel_w = c.weight.w;
        fixed.outputs = c.weight.n;
        Tensor& weight = operands[Op::kWeight];
        if (rung.kernel.packs()) weight = apply(op::PackConvTranspose2dWeight{fixed}, {weight});
        fixed.forward(operands, y.tensor(), {});
        const Tensor result = to_host(y.tensor());
        CHECK(relative_error(result, expected) <= rung.error_within);
        CHECK(y.intact());
        if (first) CHECK(identical(result, first));
        first = result;
      }
    }
  }
  for (std::size_t i = 0; i < tried.size(); ++i) {
    const auto& rung = conv_transpose2d_ladder()[i];
    CAPTURE(rung.name);
    if (rung.device != DeviceKind::kCuda) continue;
    const bool is_narrow = rung.name.ends_with("f16_gemm");
    CHECK(tried[i] >= (rung.name.ends_with("naive") ? int{std::size(kCases)} : is_narrow ? 0 : 7));
  }
}

TEST_CASE(
    "conv_transpose2d on the GPU: at once and lowered, the fastest rung that can do the case") {
  const Case c{"", {1, 64, 64, 64}, {64, 2, 2, 64}, {.stride = 2}};
  const std::vector<Tensor> inputs = inputs_of(c);
  const Shapes in = shapes_of(inputs);
  const Tensor expected = expected_of(c, inputs);
  CHECK(choose(conv_transpose2d_ladder(), c.op, in, DeviceKind::kCuda).name ==
        "conv_transpose2d/cuda_tf32_gemm");
  const std::vector<Tensor> on_gpu = {to_gpu(inputs[0]), to_gpu(inputs[1]), to_gpu(inputs[2])};
  CHECK(relative_error(to_host(mend::apply(c.op, on_gpu)), expected) <= 1e-3);
  const std::optional<Lowering> lowering = AnyOp(c.op).lower(in, DeviceKind::kCuda);
  REQUIRE(lowering.has_value());
  REQUIRE(lowering->repack[Op::kWeight].has_value());
  const Tensor packed = apply(*lowering->repack[Op::kWeight], {on_gpu[1]});
  CHECK(relative_error(to_host(apply(lowering->op, {on_gpu[0], packed, on_gpu[2]})), expected) <=
        1e-3);
}

}  // namespace mend::test
