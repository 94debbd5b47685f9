// The operations that gradients are made of: every rung against its reference, on awkward sizes.
#include <doctest/doctest.h>

#include <limits>

#include "kernels/activation/gradient.h"
#include "kernels/attention/gradient.h"
#include "kernels/channels/gradient.h"
#include "kernels/conv2d/gradient.h"
#include "kernels/elementwise/gradient.h"
#include "kernels/fft/gradient.h"
#include "kernels/normalization/gradient.h"
#include "kernels/pad/gradient.h"
#include "kernels/pool/gradient.h"
#include "kernels/resample/gradient.h"
#include "tests/support/guarded.h"

namespace mend::test {

TEST_CASE("sum_to: every rung matches the reference") {
  const auto call = [](const op::SumTo& op) {
    return [=](SumToKernel kernel, const Tensors& inputs, const Tensor& y, Scratch scratch) {
      kernel(op, inputs[0].view<const float>(),
             inputs.size() > 1 ? inputs[1].view<const float>() : View<const float>{},
             y.view<float>(), scratch);
    };
  };
  for (const Shape& x : {Shape{1, 1, 1, 1}, Shape{2, 3, 5, 7}, Shape{3, 9, 40, 33},
                         Shape{1, 1, 2500, 19}, Shape{2, 1, 3, 1000}}) {
    for (int kept = 0; kept < 16; ++kept) {
      const op::SumTo sum{
          {kept & 1 ? x.n : 1, kept & 2 ? x.h : 1, kept & 4 ? x.w : 1, kept & 8 ? x.c : 1}};
      check_rungs(sum_to_ladder(), sum, {random_tensor(x, 1)}, call(sum));
      check_rungs(sum_to_ladder(), sum, {random_tensor(x, 1), random_tensor(x, 2)}, call(sum));
      op::SumTo negative = sum;
      negative.negative_part = true;
      check_rungs(sum_to_ladder(), negative, {random_tensor(x, 1), random_tensor(x, 2)},
                  call(negative));
    }
  }
  CHECK_THROWS_AS(op::SumTo{vector_shape(3)}.shape({{1, 2, 2, 4}}), ShapeError);
  CHECK_THROWS_AS((op::SumTo{vector_shape(4)}.shape({{1, 2, 2, 4}, {1, 2, 1, 4}})), ShapeError);
}

TEST_CASE("affine_gradient: every rung matches the reference") {
  const op::AffineGradient op{-2, 0.5f, -1, std::numeric_limits<float>::infinity()};
  for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{2, 3, 5, 7}, Shape{1, 9, 40, 33}}) {
    check_rungs(affine_gradient_ladder(), op, {random_tensor(shape, 1), random_tensor(shape, 2)},
                [&](AffineGradientKernel kernel, const Tensors& inputs, const Tensor& y, Scratch) {
                  kernel(op, inputs[0].view<const float>(), inputs[1].view<const float>(),
                         y.view<float>());
                });
  }
}

TEST_CASE("activation_gradient: every rung matches the reference") {
  for (int kind = 0; kind <= static_cast<int>(ActivationKind::kHardSwish); ++kind)
    for (const float parameter : {0.3f, -0.2f})
      for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{2, 3, 5, 7}, Shape{1, 9, 40, 33}})
        for (const float scale : {1.0f, 12.0f}) {
          if (shape.elements() == 1 && scale > 1) continue;  // nothing but a slope near 0
          const op::ActivationGradient op{{static_cast<ActivationKind>(kind), parameter}};
          Tensor seen = random_tensor(shape, 1);
          for (std::int64_t i = 0; i < shape.elements(); ++i) seen.view<float>().data[i] *= scale;
          Tensors inputs = {seen, random_tensor(shape, 2)};
          if (op.activation.kind == ActivationKind::kPrelu) {
            inputs.push_back(random_tensor(vector_shape(scale > 1 ? 1 : shape.c), 3));
          }
          check_rungs(
              activation_gradient_ladder(), op, inputs,
              [&](ActivationGradientKernel kernel, const Tensors& from, const Tensor& y, Scratch) {
                kernel(op.activation, from[0].view<const float>(), from[1].view<const float>(),
                       from.size() > 2 ? from[2].view<const float>() : View<const float>{},
                       y.view<float>());
              });
        }
}

TEST_CASE("conv2d_weight_gradient: every rung matches the reference") {
  struct Case {
    op::Conv2dWeightGradient op;
    Shape x;
    int outputs;
  };
  const Case kCases[] = {
      {{1, 1, 1, 0, 0, 1, 1}, {1, 1, 1, 1}, 1},    {{3, 3, 1, 1, 1, 1, 1}, {2, 7, 5, 3}, 5},
      {{3, 3, 1, 1, 1, 1, 1}, {1, 9, 13, 64}, 64}, {{3, 3, 1, 1, 1, 1, 1}, {3, 40, 5, 17}, 49},
      {{3, 3, 1, 0, 0, 1, 1}, {1, 6, 5, 33}, 7},   {{5, 3, 1, 0, 2, 1, 1}, {2, 7, 5, 3}, 4},
      {{3, 3, 2, 1, 1, 1, 1}, {2, 7, 8, 19}, 6},   {{4, 4, 4, 0, 0, 1, 1}, {1, 11, 9, 3}, 8},
      {{3, 3, 1, 2, 2, 2, 1}, {1, 8, 9, 3}, 4},    {{3, 3, 1, 1, 1, 1, 2}, {2, 5, 6, 34}, 14},
      {{3, 3, 1, 1, 1, 1, 19}, {2, 6, 7, 19}, 19}, {{3, 5, 2, 1, 2, 1, 37}, {2, 6, 9, 37}, 37},
      {{7, 7, 1, 3, 3, 1, 5}, {1, 3, 4, 5}, 5},    {{3, 3, 1, 2, 2, 2, 16}, {1, 8, 9, 16}, 16},
      {{3, 3, 1, 1, 1, 1, 4}, {2, 6, 7, 4}, 8},    {{9, 9, 1, 4, 4, 1, 1}, {1, 5, 6, 1}, 20},
  };
  for (const auto& [op, x, outputs] : kCases) {
    const auto extent = [&](int size, int padding, int kernel) {
      return (size + 2 * padding - op.dilation * (kernel - 1) - 1) / op.stride + 1;
    };
    const Shape dy{x.n, extent(x.h, op.padding_h, op.kernel_h),
                   extent(x.w, op.padding_w, op.kernel_w), outputs};
    check_rungs(conv2d_weight_gradient_ladder(), op, {random_tensor(x, 1), random_tensor(dy, 2)},
                [&](const Conv2dWeightGradientKernel& kernel, const Tensors& inputs,
                    const Tensor& y, Scratch) {
                  // Rungs differ in what they need.
                  const std::int64_t bytes =
                      kernel.scratch_bytes == nullptr
                          ? 1
                          : kernel.scratch_bytes(op, {inputs[0].shape(), inputs[1].shape()});
                  const Storage memory(static_cast<std::size_t>(bytes), cpu());
                  cpu().fill(memory.data(), 0xFF, memory.bytes());
                  kernel.run({op,
                              inputs[0].view<const float>(),
                              inputs[1].view<const float>(),
                              y.view<float>(),
                              {memory.data(), memory.bytes()}});
                });
  }
  CHECK_THROWS_AS((op::Conv2dWeightGradient{3, 3}.shape({{1, 5, 5, 3}, {1, 5, 5, 4}})), ShapeError);
}

TEST_CASE("turn_conv2d_weight: applied twice it gives the weight again") {
  for (const int groups : {1, 2, 6})
    for (const bool turn : {false, true}) {
      const Tensor weight = random_tensor({12, 3, 2, 5}, 1);
      const op::TurnConv2dWeight op{groups, turn};
      const Tensor turned = apply(op, {weight});
      CHECK(turned.shape() == Shape{5 * groups, 3, 2, 12 / groups});
      CHECK(identical(apply(op, {turned}), weight));
    }
}

TEST_CASE("pad_gradient: every rung matches the reference") {
  for (const PadMode mode : {PadMode::kConstant, PadMode::kReflect, PadMode::kReplicate,
                             PadMode::kCircular, PadMode::kSymmetric}) {
    for (const op::Pad& pad : {op::Pad{1, 2, 3, 0, mode}, op::Pad{3, 3, 4, 4, mode}}) {
      const op::PadGradient op{pad};
      check_rungs(
          pad_gradient_ladder(), op, {random_tensor(pad.shape({{2, 4, 5, 19}}), 1)},
          [&](PadGradientKernel kernel, const Tensors& inputs, const Tensor& y, Scratch scratch) {
            kernel(op.pad, inputs[0].view<const float>(), y.view<float>(), scratch);
          });
    }
  }
}

TEST_CASE("resample_gradient and mean_gradient: every rung matches the reference") {
  for (const ResampleMode mode : {ResampleMode::kNearest, ResampleMode::kBilinear,
                                  ResampleMode::kBicubic, ResampleMode::kArea}) {
    for (const auto& [height, width] : {std::pair{10, 14}, {3, 4}, {8, 5}}) {
      const op::ResampleGradient op{{.mode = mode, .height = height, .width = width}, 5, 7};
      check_rungs(resample_gradient_ladder(), op, {random_tensor({2, height, width, 19}, 1)},
                  [&](ResampleGradientKernel kernel, const Tensors& inputs, const Tensor& y,
                      Scratch scratch) {
                    kernel(op, inputs[0].view<const float>(), y.view<float>(), scratch);
                  });
    }
  }
  const op::MeanGradient kMeans[] = {{op::Pool{PoolKind::kAverage, 3, 2, 1}, 6, 9},
                                     {op::AdaptivePool{PoolKind::kAverage, 4, 5}, 6, 9},
                                     {op::BoxMean{4, 7}, 6, 9}};
  for (const op::MeanGradient& op : kMeans) {
    const Shape dy = std::visit(
        [](const auto& pool) {
          return pool.shape({{2, 6, 9, 19}});
        },
        op.pool);
    check_rungs(
        mean_gradient_ladder(), op, {random_tensor(dy, 1)},
        [&](MeanGradientKernel kernel, const Tensors& inputs, const Tensor& y, Scratch scratch) {
          kernel(op, inputs[0].view<const float>(), y.view<float>(), scratch);
        });
  }
}

TEST_CASE("max_gradient: every rung matches the reference, and the first of equals gets all") {
  for (const op::MaxGradient& op : {op::MaxGradient{op::Pool{PoolKind::kMax, 3, 2, 1}},
                                    op::MaxGradient{op::AdaptivePool{PoolKind::kMax, 4, 5}}}) {
    const Shape x{2, 6, 9, 19};
    const Shape dy = std::visit([&](const auto& pool) { return pool.shape({x}); }, op.pool);
    check_rungs(max_gradient_ladder(), op, {random_tensor(x, 1), random_tensor(dy, 2)},
                [&](MaxGradientKernel kernel, const Tensors& inputs, const Tensor& y, Scratch) {
                  kernel(op, inputs[0].view<const float>(), inputs[1].view<const float>(),
                         y.view<float>());
                });
  }
  const Tensor equal = apply(op::MaxGradient{op::Pool{}},
                             {Tensor::zeros({1, 2, 2, 1}), Tensor::full({1, 1, 1, 1}, 3)});
  CHECK(identical(equal, Tensor::from({1, 2, 2, 1}, std::vector<float>{3, 0, 0, 0})));
}

TEST_CASE("pixel_norm_gradient and softmax_gradient: every rung matches the reference") {
  for (const int channels : {1, 7, 16, 37, 300}) {
    const Shape shape{2, 3, 5, channels};
    for (const PixelMeasure measure : {PixelMeasure::kDeviation, PixelMeasure::kDeviationOnly,
                                       PixelMeasure::kRootMeanSquare, PixelMeasure::kLength}) {
      for (const bool with_gamma : {false, true}) {
        const op::PixelNormGradient op{measure, 1e-2f};
        Tensors inputs = {random_tensor(shape, 1), random_tensor(shape, 2)};
        if (with_gamma) inputs.push_back(random_tensor(vector_shape(channels), 3));
        check_rungs(
            pixel_norm_gradient_ladder(), op, inputs,
            [&](PixelNormGradientKernel kernel, const Tensors& from, const Tensor& y, Scratch) {
              kernel(op, from[0].view<const float>(), from[1].view<const float>(),
                     from.size() > 2 ? from[2].view<const float>() : View<const float>{},
                     y.view<float>());
            });
      }
    }
    if (channels == 1) continue;  // the gradient is 0
    const Tensor softmax = apply(op::Softmax{}, {random_tensor(shape, 4)});
    check_rungs(
        softmax_gradient_ladder(), op::SoftmaxGradient{}, {softmax, random_tensor(shape, 5)},
        [](SoftmaxGradientKernel kernel, const Tensors& inputs, const Tensor& y, Scratch) {
          kernel(inputs[0].view<const float>(), inputs[1].view<const float>(), y.view<float>());
        });
  }
}

TEST_CASE("operations of gradients: what does not fit is refused") {
  CHECK_THROWS_AS((op::PlaceChannels{3, 5}.shape({{1, 1, 1, 3}})), ShapeError);
  const op::PadGradient pad{op::Pad{2, 2, 0, 0}};
  CHECK_THROWS_AS(pad.shape({{1, 4, 4, 1}}), ShapeError);
  CHECK_THROWS_AS((op::TurnConv2dWeight{3}.shape({{4, 1, 1, 1}})), ShapeError);
  const op::ResampleGradient resampled{{.height = 4, .width = 4}, 2, 2};
  CHECK_THROWS_AS(resampled.shape({{1, 5, 4, 1}}), ShapeError);
  const op::SumRepeats repeats{{1, 2, 3, 4}};
  CHECK_THROWS_AS(repeats.shape({{1, 4, 7, 4}}), ShapeError);
  const op::WindowAttention windows{.window_h = 2, .window_w = 2, .heads = 2};
  const op::SplitWindows split{windows};
  CHECK_THROWS_AS(split.shape({{1, 4, 5, 4}}), ShapeError);
  const op::MergeWindows merge{windows, false, 4, 4};
  CHECK_THROWS_AS(merge.shape({{5, 2, 4, 2}}), ShapeError);
}

}  // namespace mend::test
