// Gradients of operations against finite differences, over awkward cases.
#include "kernels/elementwise/gradient.h"

#include <doctest/doctest.h>

#include "kernels/activation/activation.h"
#include "kernels/channels/channels.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv_transpose2d/conv_transpose2d.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/matmul/matmul.h"
#include "kernels/pad/pad.h"
#include "kernels/pixel_shuffle/pixel_shuffle.h"
#include "kernels/pool/pool.h"
#include "kernels/rearrange/rearrange.h"
#include "kernels/resample/resample.h"
#include "tests/kernels/gradient_check.h"
#include "tests/support/guarded.h"

namespace mend::test {

TEST_CASE("gradients: affine, also where it clips") {
  const Tensor x = far_apart({2, 3, 5, 3}, 1);
  check_gradient(op::Affine{.scale = -1.5f, .offset = 2}, {x});
  check_gradient(op::Affine{.scale = 1, .offset = 0.07f, .low = -1.955f, .high = 3.145f}, {x});
  check_gradient(op::Affine{.scale = -2, .low = 0}, {away_from_0({1, 2, 7, 9}, 2)});
}

TEST_CASE("gradients: arithmetic, with operands that stand for all") {
  const Shape large{2, 3, 5, 7};
  for (const Shape& small : {large, Shape{1, 1, 1, 7}, Shape{2, 1, 1, 7}, Shape{2, 3, 5, 1},
                             Shape{1, 3, 5, 7}, Shape{1, 1, 1, 1}, Shape{2, 3, 1, 1}}) {
    const Tensor x = random_tensor(large, 1), z = away_from_0(small, 2, 0.5f);
    for (const BinaryKind kind :
         {BinaryKind::kAdd, BinaryKind::kSubtract, BinaryKind::kMultiply, BinaryKind::kDivide}) {
      check_gradient(op::Binary{kind}, {x, z});
      if (kind != BinaryKind::kDivide) check_gradient(op::Binary{kind}, {z, x});
    }
    for (const BinaryKind kind : {BinaryKind::kMinimum, BinaryKind::kMaximum}) {
      if (small != large) continue;
      const Tensor apart = far_apart({4, 3, 5, 7}, 3);
      check_gradient(op::Binary{kind},
                     {apart.crop(0, 0, 3, 5).clone(), far_apart({4, 3, 5, 7}, 4)});
    }
  }
  // Both operands broadcast.
  check_gradient(op::Binary{BinaryKind::kMultiply},
                 {random_tensor({2, 1, 1, 6}, 1), random_tensor({1, 4, 3, 1}, 2)});
  const Tensor positive = away_from_0({2, 2, 3, 5}, 5, 0.6f);
  const Tensor squares = apply(op::Binary{BinaryKind::kMultiply}, {positive, positive});
  check_gradient(op::Binary{BinaryKind::kPower}, {squares, Tensor::full({1, 1, 1, 1}, 1.7f)},
                 {true, false});
}

TEST_CASE("gradients: sums") {
  const Tensor x = random_tensor({2, 3, 5, 7}, 1);
  for (const Shape& to : {Shape{1, 1, 1, 7}, Shape{2, 3, 5, 1}, Shape{1, 1, 1, 1}}) {
    check_gradient(op::SumTo{to}, {x});
    check_gradient(op::SumTo{to}, {x, random_tensor(x.shape(), 2)});
  }
  const Tensor few = random_tensor({1, 2, 3, 2}, 3);  // f32 sums of many squares are too coarse
  check_gradient(op::SumTo{vector_shape(1)}, {few, few});
}

TEST_CASE("gradients: activations") {
  for (int kind = 0; kind <= static_cast<int>(ActivationKind::kHardSwish); ++kind) {
    const Activation activation{static_cast<ActivationKind>(kind), 0.3f};
    const Tensor x = away_from_0({2, 3, 5, 7}, 1);
    if (activation.kind == ActivationKind::kPrelu) {
      check_gradient(op::Activate{activation}, {x, random_tensor(vector_shape(7), 2)});
      check_gradient(op::Activate{activation}, {x, random_tensor(vector_shape(1), 2)});
    } else {
      check_gradient(op::Activate{activation}, {x});
    }
  }
  for (const ActivationKind kind : {ActivationKind::kLeakyRelu, ActivationKind::kElu}) {
    check_gradient(op::Activate{{kind, -0.4f}}, {away_from_0({1, 2, 5, 9}, 3)});
  }
  // Beyond the bends of relu6, hardsigmoid and hardswish.
  const Tensor wide = apply(op::Affine{.scale = 9.3f}, {away_from_0({1, 3, 5, 9}, 4)});
  for (const ActivationKind kind :
       {ActivationKind::kGelu, ActivationKind::kGeluTanh, ActivationKind::kSilu,
        ActivationKind::kMish, ActivationKind::kSoftplus}) {
    check_gradient(op::Activate{{kind, 0}}, {wide});
  }
}

TEST_CASE("gradients: channels, padding, shuffles and rearrangements") {
  check_gradient(op::Concat{}, {random_tensor({2, 3, 4, 3}, 1), random_tensor({2, 3, 4, 1}, 2),
                                random_tensor({2, 3, 4, 6}, 3)});
  check_gradient(op::SliceChannels{2, 3}, {random_tensor({2, 3, 4, 7}, 1)});
  check_gradient(op::SliceChannels{0, 7}, {random_tensor({2, 3, 4, 7}, 1)});
  for (const PadMode mode : {PadMode::kConstant, PadMode::kReflect, PadMode::kReplicate,
                             PadMode::kCircular, PadMode::kSymmetric}) {
    check_gradient(op::Pad{2, 3, 0, 4, mode, 0.5f}, {random_tensor({2, 4, 5, 3}, 1)});
    check_gradient(op::Pad{3, 3, 4, 4, mode}, {random_tensor({1, 4, 5, 2}, 1)});
  }
  check_gradient(op::Crop{1, 2, 3, 4}, {random_tensor({2, 5, 6, 3}, 1)});
  check_gradient(op::PixelShuffle{3}, {random_tensor({2, 2, 3, 18}, 1)});
  check_gradient(op::PixelUnshuffle{2}, {random_tensor({2, 4, 6, 3}, 1)});
  check_gradient(op::Roll{-2, 3}, {random_tensor({2, 5, 4, 3}, 1)});
  for (const bool dilated : {false, true}) {
    check_gradient(op::WindowPartition{2, 3, dilated}, {random_tensor({2, 4, 6, 5}, 1)});
    check_gradient(op::WindowMerge{4, 6, dilated}, {random_tensor({8, 2, 3, 5}, 1)});
  }
  check_gradient(op::Reshape{1, 6, 4}, {random_tensor({2, 3, 4, 5}, 1)});
  check_gradient(op::Transpose{}, {random_tensor({2, 3, 4, 5}, 1)});
}

TEST_CASE("gradients: resampling") {
  const Tensor x = random_tensor({2, 5, 7, 3}, 1);
  for (const ResampleMode mode :
       {ResampleMode::kNearest, ResampleMode::kNearestExact, ResampleMode::kBilinear,
        ResampleMode::kBicubic, ResampleMode::kArea}) {
    for (const auto& [height, width] : {std::pair{10, 14}, {15, 14}, {3, 4}, {8, 5}, {5, 7}}) {
      op::Resample resample{.mode = mode, .height = height, .width = width};
      check_gradient(resample, {x});
      if (mode != ResampleMode::kBilinear && mode != ResampleMode::kBicubic) continue;
      resample.align_corners = true;
      check_gradient(resample, {x});
      resample.align_corners = false;
      resample.antialias = true;
      check_gradient(resample, {x});
    }
    check_gradient(
        op::Resample{.mode = mode, .height = 12, .width = 17, .scale_h = 2.5, .scale_w = 2.5}, {x});
  }
  check_gradient(op::Resample{.height = 4, .width = 6}, {random_tensor({3, 1, 1, 5}, 2)});
}

TEST_CASE("gradients: pooling") {
  for (const PoolKind kind : {PoolKind::kMax, PoolKind::kAverage}) {
    const Tensor x = far_apart({2, 6, 9, 3}, 1);
    for (const op::Pool& pool :
         {op::Pool{kind, 3, 3, 0}, op::Pool{kind, 3, 2, 1}, op::Pool{kind, 2, 1, 0},
          op::Pool{kind, 2, 2, 0}, op::Pool{kind, 1, 2, 0}, op::Pool{kind, 2, 3, 1}}) {
      check_gradient(pool, {x});
    }
    for (const auto& [height, width] : {std::pair{1, 1}, {3, 3}, {2, 9}, {4, 5}, {7, 2}}) {
      check_gradient(op::AdaptivePool{kind, height, width}, {x});
    }
  }
  const Tensor x = random_tensor({2, 6, 9, 3}, 2);
  for (const auto& [h, w] : {std::pair{1, 1}, {3, 2}, {5, 9}, {40, 40}, {4, 7}}) {
    check_gradient(op::BoxMean{h, w}, {x});
  }
}

TEST_CASE("gradients: matrix products") {
  for (const bool transpose_a : {false, true})
    for (const bool transpose_b : {false, true}) {
      const auto matrix = [](int n, int h, int rows, int columns, bool transposed, int seed) {
        return random_tensor({n, h, transposed ? columns : rows, transposed ? rows : columns},
                             static_cast<std::uint64_t>(seed));
      };
      const op::Matmul op{transpose_a, transpose_b};
      check_gradient(op,
                     {matrix(2, 3, 7, 13, transpose_a, 1), matrix(2, 3, 13, 5, transpose_b, 2)});
      check_gradient(op, {matrix(2, 3, 7, 4, transpose_a, 1), matrix(1, 1, 4, 5, transpose_b, 2)});
      check_gradient(op, {matrix(1, 3, 1, 4, transpose_a, 1), matrix(2, 3, 4, 5, transpose_b, 2)});
    }
}

TEST_CASE("gradients: convolution") {
  struct Case {
    op::Conv2d conv;
    Shape x;
  };
  const auto conv = [](int R, int S, int outputs, int stride, int padding_h, int padding_w) {
    return op::Conv2d{.kernel_h = R,
                      .kernel_w = S,
                      .stride = stride,
                      .padding_h = padding_h,
                      .padding_w = padding_w,
                      .outputs = outputs};
  };
  std::vector<Case> cases = {
      {conv(1, 1, 5, 1, 0, 0), {2, 4, 5, 3}},    {conv(3, 3, 5, 1, 1, 1), {2, 7, 6, 3}},
      {conv(3, 3, 17, 1, 1, 1), {1, 5, 9, 33}},  {conv(3, 3, 50, 1, 0, 0), {1, 6, 5, 4}},
      {conv(1, 3, 4, 1, 0, 1), {1, 5, 7, 3}},    {conv(5, 3, 4, 1, 0, 2), {2, 7, 5, 3}},
      {conv(3, 3, 4, 1, 4, 3), {1, 4, 5, 3}},    {conv(3, 3, 6, 2, 1, 1), {2, 7, 8, 4}},
      {conv(2, 2, 6, 2, 0, 0), {1, 7, 8, 4}},    {conv(4, 4, 6, 4, 0, 0), {1, 11, 9, 3}},
      {conv(4, 4, 6, 2, 1, 1), {1, 7, 10, 3}},   {conv(3, 5, 2, 3, 0, 2), {1, 11, 10, 3}},
      {conv(1, 1, 3, 2, 0, 0), {2, 5, 6, 4}},    {conv(7, 7, 3, 1, 3, 3), {1, 3, 4, 2}},
      {conv(3, 3, 64, 1, 1, 1), {1, 6, 13, 32}},
  };
  for (int groups : {2, 7}) {
    Case grouped{conv(3, 3, 14, 1, 1, 1), {2, 5, 6, 14}};
    grouped.conv.groups = groups;
    cases.push_back(grouped);
    grouped.conv.stride = 2;
    cases.push_back(grouped);
  }
  for (int stride : {1, 2}) {
    Case depthwise{conv(3, 5, 19, stride, 1, 2), {2, 6, 7, 19}};
    depthwise.conv.groups = 19;
    cases.push_back(depthwise);
    Case multiplied{conv(3, 3, 12, stride, 1, 1), {2, 6, 7, 4}};
    multiplied.conv.groups = 4;
    cases.push_back(multiplied);
    for (const PaddingMode mode : {PaddingMode::kReflect, PaddingMode::kReplicate}) {
      Case mirrored{conv(3, 5, 4, stride, 1, 2), {2, 6, 7, 3}};
      mirrored.conv.padding_mode = mode;
      cases.push_back(mirrored);
    }
  }
  for (int dilation : {2, 3}) {
    Case dilated{conv(3, 3, 4, 1, dilation, dilation), {1, 8, 9, 3}};
    dilated.conv.dilation = dilation;
    cases.push_back(dilated);
  }
  for (const auto& [call, x] : cases) {
    const Tensor weight =
        random_tensor({call.outputs, call.kernel_h, call.kernel_w, x.c / call.groups}, 2);
    check_gradient(call,
                   {random_tensor(x, 1), weight, random_tensor(vector_shape(call.outputs), 3)});
    check_gradient(call, {random_tensor(x, 1), weight});
  }
  check_gradient(conv(3, 3, 5, 1, 1, 1),
                 {random_tensor({1, 4, 5, 3}, 1), random_tensor({5, 3, 3, 3}, 2)}, {false, true});
}

TEST_CASE("gradients: transposed convolution") {
  struct Case {
    op::ConvTranspose2d conv;
    int kernel, outputs;
    Shape x;
  };
  for (const auto& [conv, kernel, outputs, x] :
       {Case{{2, 0, 0, 1}, 2, 3, {2, 4, 5, 6}}, Case{{1, 1, 0, 1}, 3, 4, {1, 4, 5, 3}},
        Case{{2, 1, 1, 1}, 3, 5, {2, 3, 4, 4}}, Case{{4, 4, 3, 1}, 9, 1, {1, 3, 4, 3}},
        Case{{2, 1, 0, 6}, 4, 6, {1, 4, 5, 6}}, Case{{2, 1, 0, 2}, 4, 6, {1, 4, 5, 4}},
        Case{{3, 1, 0, 1}, 5, 4, {1, 3, 4, 3}}}) {
    check_gradient(
        conv, {random_tensor(x, 1), random_tensor({outputs, kernel, kernel, x.c / conv.groups}, 2),
               random_tensor(vector_shape(outputs), 3)});
  }
}

}  // namespace mend::test
