// The CUDA rungs of a convolution's weight gradient against the reference on the CPU.
#include <doctest/doctest.h>

#include <ostream>

#include "engine/gpu.h"
#include "kernels/conv2d/gradient.h"
#include "tests/gpu/on_gpu.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {
namespace {

using Op = op::Conv2dWeightGradient;
constexpr Margins kLayouts[] = {{0, 0}, {3, 2}, {8, 8}};

struct Case {
  const char* name;
  Op op;
  Shape x;
  int outputs;

  Shape dy() const {
    const auto extent = [&](int size, int padding, int kernel) {
      return (size + 2 * padding - op.dilation * (kernel - 1) - 1) / op.stride + 1;
    };
    return {x.n, extent(x.h, op.padding_h, op.kernel_h), extent(x.w, op.padding_w, op.kernel_w),
            outputs};
  }
  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }
};

// clang-format off
// Op: kernel, stride, padding, dilation, groups.
const Case kCases[] = {
    {"one number",              {1, 1, 1, 0, 0, 1, 1},  {1, 1, 1, 1},     1},
    {"1x1",                     {1, 1, 1, 0, 0, 1, 1},  {2, 9, 7, 20},    36},
    {"1x1, long sums",          {1, 1, 1, 0, 0, 1, 1},  {2, 41, 43, 24},  40},
    {"1x1, several tiles",      {1, 1, 1, 0, 0, 1, 1},  {1, 9, 9, 132},   260},
    {"3x3, odd",                {3, 3, 1, 1, 1, 1, 1},  {2, 7, 5, 3},     5},
    {"3x3, one tile",           {3, 3, 1, 1, 1, 1, 1},  {1, 8, 8, 8},     16},
    {"3x3, 24 to 24",           {3, 3, 1, 1, 1, 1, 1},  {2, 9, 17, 24},   24},
    {"3x3, 48 to 48",           {3, 3, 1, 1, 1, 1, 1},  {1, 9, 13, 48},   48},
    {"3x3, 64 to 64",           {3, 3, 1, 1, 1, 1, 1},  {2, 8, 8, 64},    64},
    {"3x3, 3 to 48",            {3, 3, 1, 1, 1, 1, 1},  {1, 16, 9, 3},    48},
    {"3x3, 48 to 27",           {3, 3, 1, 1, 1, 1, 1},  {1, 8, 9, 48},    27},
    {"3x3, 9 to 12",            {3, 3, 1, 1, 1, 1, 1},  {1, 8, 9, 9},     12},
    {"3x3, blocks of channels", {3, 3, 1, 1, 1, 1, 1},  {1, 5, 4, 100},   50},
    {"3x3, no padding",         {3, 3, 1, 0, 0, 1, 1},  {1, 6, 5, 33},    7},
    {"3x3, wide padding",       {3, 3, 1, 3, 2, 1, 1},  {1, 6, 5, 4},     4},
    {"3x3, more tiles than parts", {3, 3, 1, 1, 1, 1, 1}, {300, 3, 2, 4}, 4},
    {"3x3, stride 2",           {3, 3, 2, 1, 1, 1, 1},  {2, 17, 18, 20},  20},
    {"3x3, stride 2, one channel", {3, 3, 2, 1, 1, 1, 1}, {1, 12, 9, 1},  3},
    {"2x2, stride 2",           {2, 2, 2, 0, 0, 1, 1},  {2, 18, 20, 24},  48},
    {"2x2, stride 2, odd",      {2, 2, 2, 0, 0, 1, 1},  {1, 7, 9, 5},     64},
    {"2x2, stride 2, 64",       {2, 2, 2, 0, 0, 1, 1},  {1, 8, 16, 64},   64},
    {"5x3",                     {5, 3, 1, 0, 2, 1, 1},  {2, 7, 5, 3},     4},
    {"4x4, stride 4",           {4, 4, 4, 0, 0, 1, 1},  {1, 11, 9, 3},    8},
    {"dilation",                {3, 3, 1, 2, 2, 2, 1},  {1, 8, 9, 3},     4},
    {"2 groups",                {3, 3, 1, 1, 1, 1, 2},  {2, 5, 6, 34},    14},
    {"depthwise",               {3, 3, 1, 1, 1, 1, 19}, {2, 6, 7, 19},    19},
    {"depthwise, high",         {3, 3, 1, 1, 1, 1, 24}, {1, 70, 9, 24},   24},
    {"depthwise, wide, 5x5",    {5, 5, 1, 2, 1, 1, 36}, {2, 9, 67, 36},   36},
    {"depthwise, 132 channels", {3, 3, 1, 0, 1, 1, 132}, {1, 9, 20, 132}, 132},
    {"depthwise, stride 2",     {3, 5, 2, 1, 2, 1, 37}, {2, 6, 9, 37},    37},
};
// clang-format on

/// Runs each rung that can do the case on images of `type`, and counts them.
void check_rungs_on_gpu(const Case& c, DType type, std::vector<int>& tried) {
  CAPTURE(c);
  CAPTURE(name_of(type));
  Op op = c.op;
  op.type = type;
  const auto rounded = [&](const Tensor& x) { return converted(converted(x, type), DType::kF32); };
  const Tensor x = rounded(random_tensor(c.x, 1)), dy = rounded(random_tensor(c.dy(), 2));
  const Shapes in = {c.x, c.dy()};
  const Tensor expected = Tensor::empty(op.shape(in));
  conv2d_weight_gradient_reference(
      {c.op, x.view<const float>(), dy.view<const float>(), expected.view<float>(), {}});
  for (std::size_t i = 0; i < tried.size(); ++i) {
    const auto& rung = conv2d_weight_gradient_ladder()[i];
    CAPTURE(rung.name);
    if (rung.device != DeviceKind::kCuda || !rung.refuses(op, in).empty()) continue;
    ++tried[i];
    Tensor first;
    for (const Margins& margins : kLayouts) {
      CAPTURE(margins.before);
      const GuardedOnGpu x_slice(x, type, margins), dy_slice(dy, type, margins);
      const GuardedOnGpu y(expected.shape(), DType::kF32, margins);
      rung.kernel.launch(op, std::vector<Tensor>{x_slice.tensor(), dy_slice.tensor()}, y.tensor());
      const Tensor result = to_host(y.tensor());
      CHECK(relative_error(result, expected) <= rung.error_within);
      CHECK(y.intact());
      if (first) CHECK(identical(result, first));
      first = result;
    }
  }
}

}  // namespace

TEST_CASE(
    "weight gradient on the GPU: every rung matches the reference, always with the same bits") {
  std::vector<int> tried(conv2d_weight_gradient_ladder().size(), 0);
  for (const Case& c : kCases)
    for (const DType type : {DType::kF32, DType::kBF16}) check_rungs_on_gpu(c, type, tried);
  for (std::size_t i = 0; i < tried.size(); ++i) {
    const auto& rung = conv2d_weight_gradient_ladder()[i];
    CAPTURE(rung.name);
    if (rung.device != DeviceKind::kCuda) continue;
    CHECK(tried[i] >= (rung.name.ends_with("naive")       ? int{std::size(kCases)}
                       : rung.name.ends_with("depthwise") ? 4
                                                          : 15));
  }
}

TEST_CASE(
    "weight gradient on the GPU: run at once, it takes tensor cores where they know the kernel") {
  const auto fastest = [](const Op& op, const Shape& x, const Shape& dy) {
    return choose(conv2d_weight_gradient_ladder(), op, {x, dy}, DeviceKind::kCuda).name;
  };
  const Op op{3, 3, 1, 1, 1, 1, 1}, pointwise, depthwise{3, 3, 1, 1, 1, 1, 64};
  CHECK(fastest(op, {16, 48, 48, 48}, {16, 48, 48, 48}) == "conv2d_weight_gradient/cuda_tf32");
  CHECK(fastest(pointwise, {1, 256, 256, 64}, {1, 256, 256, 128}) ==
        "conv2d_weight_gradient/cuda_tf32_gemm");
  CHECK(fastest(depthwise, {1, 256, 256, 64}, {1, 256, 256, 64}) ==
        "conv2d_weight_gradient/cuda_depthwise");
  const Tensor x = random_tensor({2, 8, 9, 16}, 1), dy = random_tensor({2, 8, 9, 16}, 2);
  CHECK(relative_error(to_host(apply(op, {to_gpu(x), to_gpu(dy)})), apply(op, {x, dy})) <= 1e-3);
}

TEST_CASE("turned weights on the GPU equal those of the CPU") {
  for (const int groups : {1, 2, 6})
    for (const bool turn : {false, true}) {
      CAPTURE(groups);
      const Tensor weight = random_tensor({12, 3, 2, 5}, 1);
      const op::TurnConv2dWeight op{groups, turn};
      const Tensor expected = apply(op, {weight});
      CHECK(identical(to_host(apply(op, {to_gpu(weight)})), expected));
      const GuardedOnGpu slice(weight, DType::kF32, {3, 2}),
          y(expected.shape(), DType::kF32, {3, 2});
      op.forward(std::vector<Tensor>{slice.tensor()}, y.tensor(), {});
      CHECK(identical(to_host(y.tensor()), expected));
      CHECK(y.intact());
    }
}

}  // namespace mend::test
