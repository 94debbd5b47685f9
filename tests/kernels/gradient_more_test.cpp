// Gradients of normalizations, attentions, spectra and sampling against finite differences.
#include <doctest/doctest.h>

#include <limits>
#include <utility>

#include "kernels/attention/attention.h"
#include "kernels/code_lookup/code_lookup.h"
#include "kernels/deform_conv2d/deform_conv2d.h"
#include "kernels/fft/fft.h"
#include "kernels/fft/spectrum.h"
#include "kernels/gradient_tape.h"
#include "kernels/grid_sample/grid_sample.h"
#include "kernels/normalization/adaptive_instance.h"
#include "kernels/normalization/batch_norm.h"
#include "kernels/normalization/global_response.h"
#include "kernels/normalization/normalization.h"
#include "tests/kernels/gradient_check.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {

TEST_CASE("gradients: normalizations over the channels of a pixel") {
  for (const int channels : {2, 7, 16, 37}) {
    const Tensor image = random_tensor({2, 3, 4, channels}, 2);
    const Tensor gamma = random_tensor(vector_shape(channels), 3);
    const Tensor beta = random_tensor(vector_shape(channels), 4);
    for (const bool subtract_mean : {true, false}) {
      const op::LayerNorm norm{.eps = 0.05f, .subtract_mean = subtract_mean};
      check_gradient(norm, {image, gamma, beta});
      check_gradient(norm, {image, gamma});
      check_gradient(norm, {image});
    }
    check_gradient(op::PixelNorm{0.05f}, {image});
    check_gradient(op::L2Normalize{}, {away_from_0({2, 3, 4, channels}, 5, 0.5f)});
    check_gradient(op::Softmax{}, {image});
  }
  // Every pixel is shorter than eps: the norm is a division by eps.
  check_gradient(op::L2Normalize{10}, {random_tensor({2, 3, 4, 5}, 6)});
}

TEST_CASE("gradients: normalizations over whole images") {
  for (const int groups : {1, 2, 4, 12}) {
    const Tensor x = random_tensor({2, 3, 5, 12}, 1);
    const Tensor gamma = random_tensor(vector_shape(12), 2),
                 beta = random_tensor(vector_shape(12), 3);
    const op::GroupNorm norm{.groups = groups, .eps = 0.05f};
    check_gradient(norm, {x, gamma, beta});
    check_gradient(norm, {x});
  }
  check_gradient(op::GlobalResponseNorm{0.1f},
                 {random_tensor({2, 3, 5, 6}, 1), random_tensor(vector_shape(6), 2),
                  random_tensor(vector_shape(6), 3)});
  check_gradient(op::Demodulate{0.1f},
                 {random_tensor({5, 3, 3, 4}, 1), away_from_0({3, 1, 1, 4}, 2, 0.5f)});
}

TEST_CASE("gradients: batch normalization and its statistics") {
  for (const Shape& shape : {Shape{3, 2, 4, 1}, Shape{2, 3, 5, 7}, Shape{1, 4, 3, 19}}) {
    const Tensor x = random_tensor(shape, 1);
    const Tensor gamma = random_tensor(vector_shape(shape.c), 2);
    const Tensor beta = random_tensor(vector_shape(shape.c), 3);
    check_gradient(op::BatchStatistics{}, {x});
    const Tensor statistics = apply(op::BatchStatistics{}, {x});
    check_gradient(op::BatchNorm{0.5f}, {x, statistics, gamma, beta});
    check_gradient(op::BatchNorm{0.5f}, {x, statistics, gamma});
    check_gradient(op::BatchNorm{0.5f}, {x, statistics});
    check_gradient(op::BatchNorm{0.5f}, {x, statistics, gamma, beta}, {true, false, false, false});
  }
}

TEST_CASE("gradients: adaptive instance normalization, to the image and to the style") {
  for (const int channels : {1, 5, 19}) {
    const Tensor x = random_tensor({2, 3, 4, channels}, 1);
    const Tensor style = random_tensor({2, 5, 3, channels}, 2);
    check_gradient(op::AdaptiveInstanceNorm{0.05f}, {x, style});
  }
}

TEST_CASE("gradients: the code look-up's goes to the codes that were taken, and to no logit") {
  const Tensor codes = random_tensor({1, 1, 7, 5}, 2);
  check_gradient(op::CodeLookup{}, {random_tensor({2, 4, 3, 7}, 1), codes}, {false, true});
  Tensor logits = Tensor::zeros({1, 1, 3, 7});  // the first of equals, the last, and none
  logits.view<float>()(0, 0, 1, 6) = 1;
  logits.view<float>()(0, 0, 2, 4) = std::numeric_limits<float>::quiet_NaN();
  const auto tape = make_gradient_tape();
  const Tensor watched_logits = tape->watch(logits), watched_codes = tape->watch(codes);
  const Tensor y = apply(op::CodeLookup{}, {watched_logits, watched_codes});
  const Tensor dy = random_tensor({1, 1, 3, 5}, 3);
  const Tensors gradients = tape->gradients({y}, {dy}, {watched_logits, watched_codes});
  CHECK_FALSE(gradients[0].defined());
  for (int k = 0; k < 7; ++k)
    for (int c = 0; c < 5; ++c) {
      const float expected = k == 0   ? dy.view<const float>()(0, 0, 0, c)
                             : k == 6 ? dy.view<const float>()(0, 0, 1, c)
                                      : 0.0f;
      CHECK(gradients[1].view<const float>()(0, 0, k, c) == expected);
    }
}

TEST_CASE("gradients: deformable convolution, to all of its inputs") {
  const auto check = [](const op::DeformConv2d& op, const Shape& x, int outputs, bool modulated,
                        bool biased) {
    const auto extent = [&](int size, int kernel, int padding) {
      return (size + 2 * padding - op.dilation * (kernel - 1) - 1) / op.stride + 1;
    };
    const int P = extent(x.h, op.kernel_h, op.padding_h);
    const int Q = extent(x.w, op.kernel_w, op.padding_w);
    const int taps = op.offset_groups * op.kernel_h * op.kernel_w;
    // Every tap 0.2 of a pixel or more from a pixel, where the kernel bends; some outside.
    const Tensor offset = random_tensor({x.n, P, Q, 2 * taps}, 2);
    float* values = offset.view<float>().data;
    for (std::int64_t i = 0; i < offset.shape().elements(); ++i) {
      values[i] = static_cast<float>(i % 5) - 1.5f + 0.3f * values[i];
    }
    Tensors inputs = {random_tensor(x, 1), offset,
                      modulated ? random_tensor({x.n, P, Q, taps}, 3) : Tensor(),
                      random_tensor({outputs, op.kernel_h, op.kernel_w, x.c / op.groups}, 4)};
    if (biased) inputs.push_back(random_tensor(vector_shape(outputs), 5));
    check_gradient(op, inputs);
  };
  check({}, {1, 2, 3, 1}, 1, false, false);
  check({3, 3, 1, 1, 1}, {2, 4, 5, 3}, 4, true, true);
  check({3, 2, 2, 1, 0, 1, 2, 4}, {1, 7, 5, 8}, 6, true, false);
  check({2, 3, 1, 2, 0, 2, 3, 2}, {1, 4, 7, 12}, 9, false, true);
  check({1, 1, 1, 0, 0, 1, 1, 1}, {1, 3, 4, 19}, 2, true, true);
}

TEST_CASE("gradients: window attention") {
  const auto check = [](const op::WindowAttention& attention, const Shape& image, bool with_bias) {
    Tensors inputs = {random_tensor(image, 1), random_tensor(image, 2), random_tensor(image, 3)};
    if (with_bias) {
      inputs.push_back(
          random_tensor({1, attention.heads, attention.keys(), attention.queries()}, 4));
    }
    check_gradient(attention, inputs);
  };
  op::WindowAttention attention{.window_h = 3, .window_w = 2, .heads = 2, .scale = 0.6f};
  check(attention, {2, 6, 4, 6}, false);
  check(attention, {2, 6, 4, 6}, true);
  attention.shift_h = 1;
  attention.shift_w = 1;
  check(attention, {2, 6, 4, 6}, true);
  for (const WindowMask mask : {WindowMask::kMinus100, WindowMask::kMinusInfinity}) {
    attention.mask = mask;
    check(attention, {2, 6, 4, 6}, true);
  }
  check({.window_h = 2, .window_w = 2, .heads = 3, .scale = 0.5f, .dilated = true}, {2, 4, 6, 9},
        true);
  check(
      {.window_h = 2, .window_w = 2, .heads = 2, .scale = 0.5f, .kv_window_h = 4, .kv_window_w = 4},
      {2, 4, 6, 6}, true);
}

TEST_CASE("gradients: attention and its bias") {
  check_gradient(op::Attention{.heads = 2, .scale = 0.5f},
                 {random_tensor({2, 3, 5, 6}, 1), random_tensor({2, 3, 7, 6}, 2),
                  random_tensor({2, 3, 7, 10}, 3)});
  check_gradient(op::ChannelAttention{2},
                 {random_tensor({2, 5, 4, 6}, 1), random_tensor({2, 5, 4, 6}, 2),
                  random_tensor({2, 5, 4, 6}, 3), random_tensor(vector_shape(2), 4)});
  check_gradient(op::GatherBias{}, {random_tensor({1, 1, 15, 3}, 1), relative_position_index(2, 3)},
                 {true, false});
  check_gradient(op::GatherBias{},
                 {random_tensor({1, 1, 25, 2}, 1), overlapping_position_index(2, 4)},
                 {true, false});
}

TEST_CASE("gradients: spectra") {
  for (const FftNorm norm : {FftNorm::kBackward, FftNorm::kOrtho}) {
    for (const auto& [h, w] : {std::pair{1, 6}, {5, 7}, {6, 8}, {8, 5}, {1, 1}}) {
      check_gradient(op::RealFft2{norm}, {random_tensor({2, h, w, 3}, 1)});
      check_gradient(op::InverseRealFft2{norm, w}, {random_tensor({2, h, w / 2 + 1, 6}, 1)});
    }
    check_gradient(op::RealFft2{norm, 4}, {random_tensor({1, 8, 12, 2}, 1)});
    check_gradient(op::InverseRealFft2{norm, 12, 4}, {random_tensor({1, 8, 9, 4}, 1)});
  }
  const Tensor x = random_tensor({2, 4, 6, 6}, 1);
  for (const Shape& small : {Shape{2, 4, 6, 6}, Shape{1, 2, 3, 6}, Shape{1, 1, 1, 6}}) {
    for (const bool conjugate : {false, true}) {
      check_gradient(op::ComplexMultiply{conjugate}, {x, random_tensor(small, 2)});
    }
    check_gradient(op::SpectralGain{},
                   {x, random_tensor({small.n, small.h, small.w, small.c / 2}, 2)});
  }
}

TEST_CASE("gradients: sampling at given positions") {
  // Every position 0.2 of a pixel or more from a pixel, where the kernels bend; some outside.
  const Shape image{2, 5, 7, 3};
  const auto positions = [&](bool align_corners) {
    const Tensor grid = Tensor::empty({2, 3, 4, 2});
    const View<float> to = grid.view<float>();
    const Tensor noise = random_tensor(grid.shape(), 3);
    for (int n = 0; n < 2; ++n)
      for (int p = 0; p < 3; ++p)
        for (int q = 0; q < 4; ++q)
          for (int c = 0; c < 2; ++c) {
            const int extent = c == 0 ? image.w : image.h;
            const float fraction = 0.4f + 0.1f * noise.view<const float>()(n, p, q, c);
            const float pixel = static_cast<float>((3 * n + 5 * p + 2 * q + c) % (extent + 1)) - 1;
            const float at = pixel + fraction;
            to(n, p, q, c) = align_corners ? 2 * at / static_cast<float>(extent - 1) - 1
                                           : (2 * at + 1) / static_cast<float>(extent) - 1;
          }
    return grid;
  };
  for (const SampleMode mode : {SampleMode::kBilinear, SampleMode::kBicubic}) {
    for (const SamplePadding padding :
         {SamplePadding::kZeros, SamplePadding::kBorder, SamplePadding::kReflection}) {
      for (const bool align_corners : {false, true}) {
        check_gradient(op::GridSample{mode, padding, align_corners},
                       {random_tensor(image, 1), positions(align_corners)});
      }
    }
  }
  check_gradient(op::GridSample{.mode = SampleMode::kNearest},
                 {random_tensor(image, 1), positions(false)}, {true, false});
}

}  // namespace mend::test
