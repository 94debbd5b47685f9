// The CUDA rungs of the normalizations against the references on the CPU.
#include "kernels/normalization/normalization.h"

#include <cmath>
#include <limits>

#include "kernels/normalization/adaptive_instance.h"
#include "kernels/normalization/batch_norm.h"
#include "kernels/normalization/global_response.h"
#include "kernels/normalization/gradient.h"
#include "tests/gpu/gpu_rungs.h"

namespace mend::test {
namespace {

// Every number of units that a lane holds, in Packs and one by one; more than registers hold.
constexpr int kChannels[] = {1, 2, 3, 8, 17, 24, 44, 48, 63, 180, 260, 516, 1024, 1030, 2052};

View<const float> slot(Inputs inputs, std::size_t i) {
  return i < inputs.size() ? inputs[i].view<const float>() : View<const float>{};
}

Shape few_pixels(int channels) {
  return channels > 500 ? Shape{1, 1, 3, channels} : Shape{2, 3, 5, channels};
}

/// 1 + 100 · x: the mean is a hundred times the deviation.
Tensor far_from_zero(const Shape& shape) {
  const Tensor x = random_tensor(shape, 7);
  float* values = x.view<float>().data;
  for (std::int64_t i = 0; i < shape.elements(); ++i) values[i] = 100 + values[i];
  return x;
}

template <class Op, class Kernel>
void check_pixels(std::span<const Variant<Op, Kernel>> ladder, const Op& op, PixelMeasure measure,
                  float eps, const std::vector<Tensor>& inputs) {
  check_gpu_rungs(ladder, op, inputs, [&](const Kernel& kernel, Inputs in, const Tensor& y) {
    kernel(measure, eps, slot(in, 0), slot(in, 1), slot(in, 2), y.view<float>());
  });
}

void check_group_norm(int groups, const std::vector<Tensor>& inputs) {
  const op::GroupNorm norm{.groups = groups};
  check_gpu_rungs(group_norm_ladder(), norm, inputs,
                  [&](const GroupNormKernel& kernel, Inputs in, const Tensor& y) {
                    kernel(norm, slot(in, 0), slot(in, 1), slot(in, 2), y.view<float>(), Scratch{});
                  });
}

}  // namespace

TEST_CASE("layer_norm on the GPU: every rung matches the reference") {
  for (const int channels : kChannels) {
    const Shape shape = few_pixels(channels);
    const Tensor x = random_tensor(shape, 1);
    const Tensor gamma = random_tensor(vector_shape(channels), 2);
    const Tensor beta = random_tensor(vector_shape(channels), 3);
    for (const bool subtract : {true, false}) {
      const op::LayerNorm norm{1e-5f, subtract};
      check_pixels(layer_norm_ladder(), norm, norm.measure(), norm.eps, {x, gamma, beta});
    }
  }
  for (const int channels : {12, 27}) {
    const Tensor x = far_from_zero({1, 4, 5, channels});
    const op::LayerNorm norm;
    check_pixels(layer_norm_ladder(), norm, PixelMeasure::kDeviation, norm.eps, {x});
  }
}

TEST_CASE("pixel_norm, l2_normalize, softmax on the GPU: every rung matches the reference") {
  for (const int channels : kChannels) {
    const Tensor x = random_within(few_pixels(channels), 3, 4);
    check_pixels(pixel_norm_ladder(), op::PixelNorm{}, PixelMeasure::kRootMeanSquare, 1e-8f, {x});
    check_pixels(l2_normalize_ladder(), op::L2Normalize{}, PixelMeasure::kLength, 1e-12f, {x});
    check_gpu_rungs(softmax_ladder(), op::Softmax{}, {x},
                    [](SoftmaxKernel kernel, Inputs in, const Tensor& y) {
                      kernel(slot(in, 0), y.view<float>());
                    });
  }
  const Tensor zero = Tensor::zeros({1, 2, 2, 9});
  CHECK(identical(to_host(apply(op::L2Normalize{}, {to_gpu(zero)})), zero));
}

TEST_CASE("softmax on the GPU: minus infinity gets no weight, one that is alone gives NaN") {
  const Tensor x = Tensor::full({1, 1, 3, 21}, -std::numeric_limits<float>::infinity());
  x.view<float>()(0, 0, 0, 3) = -4.0f;
  x.view<float>()(0, 0, 0, 20) = -4.0f;
  x.view<float>()(0, 0, 2, 1) = std::numeric_limits<float>::quiet_NaN();
  x.view<float>()(0, 0, 2, 2) = 1.0f;
  const Tensor y = to_host(apply(op::Softmax{}, {to_gpu(x)}));
  const View<const float> got = y.view<const float>();
  CHECK(got(0, 0, 0, 3) == 0.5f);
  CHECK(got(0, 0, 0, 20) == 0.5f);
  CHECK(got(0, 0, 0, 17) == 0.0f);
  CHECK(std::isnan(got(0, 0, 1, 5)));
  CHECK(std::isnan(got(0, 0, 2, 2)));
}

TEST_CASE("pixel_norm_gradient, softmax_gradient on the GPU: every rung matches the reference") {
  for (const int channels : kChannels) {
    const Shape shape = few_pixels(channels);
    const Tensor x = random_tensor(shape, 1), dy = random_tensor(shape, 2);
    const Tensor gamma = random_tensor(vector_shape(channels), 3);
    for (const PixelMeasure measure : {PixelMeasure::kDeviation, PixelMeasure::kDeviationOnly,
                                       PixelMeasure::kRootMeanSquare, PixelMeasure::kLength}) {
      // Of one channel there is no gradient but what eps leaves.
      const op::PixelNormGradient op{measure, channels < 3 ? 1e-1f : 1e-5f};
      const auto call = [&](PixelNormGradientKernel kernel, Inputs in, const Tensor& y) {
        kernel(op, slot(in, 0), slot(in, 1), slot(in, 2), y.view<float>());
      };
      if (measure == PixelMeasure::kDeviation) {
        check_gpu_rungs(pixel_norm_gradient_ladder(), op, {x, dy, gamma}, call);
      } else if (channels > 1 || measure != PixelMeasure::kLength) {
        check_gpu_rungs(pixel_norm_gradient_ladder(), op, {x, dy}, call);
      }
    }
    if (channels == 1) continue;
    const Tensor softmax = apply(op::Softmax{}, {x});
    check_gpu_rungs(softmax_gradient_ladder(), op::SoftmaxGradient{}, {softmax, dy},
                    [](SoftmaxGradientKernel kernel, Inputs in, const Tensor& y) {
                      kernel(slot(in, 0), slot(in, 1), y.view<float>());
                    });
  }
}

TEST_CASE("group_norm on the GPU: every rung matches the reference") {
  struct Groups {
    int channels, groups;
  };
  for (const auto& [channels, groups] : {Groups{1, 1},
                                         {12, 1},
                                         {12, 3},
                                         {12, 12},
                                         {18, 6},
                                         {15, 15},
                                         {72, 4},
                                         {1030, 2},
                                         {1100, 1}}) {
    const Shape shape = channels > 1000 ? Shape{2, 1, 3, channels} : Shape{2, 7, 9, channels};
    const Tensor gamma = random_tensor(vector_shape(channels), 2);
    const Tensor beta = random_tensor(vector_shape(channels), 3);
    check_group_norm(groups, {random_tensor(shape, 1), gamma, beta});
    check_group_norm(groups, {far_from_zero(shape)});
  }
  check_group_norm(8, {random_tensor({1, 40, 41, 32}, 5)});  // several blocks an image
}

TEST_CASE("batch_statistics, batch_norm on the GPU: every rung matches the reference") {
  for (const int channels : {1, 3, 8, 40, 260}) {
    const Shape shape{3, 5, 7, channels};
    for (const Tensor& x : {random_tensor(shape, 1), far_from_zero(shape)}) {
      check_gpu_rungs(batch_statistics_ladder(), op::BatchStatistics{}, {x},
                      [](BatchStatisticsKernel kernel, Inputs in, const Tensor& y) {
                        kernel(slot(in, 0), y.view<float>(), {});
                      });
      const Tensor statistics = apply(op::BatchStatistics{}, {x});
      const Tensor gamma = random_tensor(vector_shape(channels), 2);
      const Tensor beta = random_tensor(vector_shape(channels), 3);
      const op::BatchNorm norm;
      for (const std::vector<Tensor>& inputs :
           {std::vector<Tensor>{x, statistics}, std::vector<Tensor>{x, statistics, gamma},
            std::vector<Tensor>{x, statistics, Tensor{}, beta},
            std::vector<Tensor>{x, statistics, gamma, beta}}) {
        check_gpu_rungs(batch_norm_ladder(), norm, inputs,
                        [&](BatchNormKernel kernel, Inputs in, const Tensor& y) {
                          kernel(norm.eps, slot(in, 0), slot(in, 1), slot(in, 2), slot(in, 3),
                                 y.view<float>(), {});
                        });
      }
    }
  }
}

TEST_CASE("adaptive_instance_norm, global_response_norm on the GPU: every rung matches") {
  for (const int channels : {1, 3, 16, 70}) {
    const Shape shape{2, 5, 9, channels};
    const op::AdaptiveInstanceNorm adaptive;
    check_gpu_rungs(adaptive_instance_norm_ladder(), adaptive,
                    {far_from_zero(shape), random_tensor({2, 4, 3, channels}, 2)},
                    [&](AdaptiveInstanceNormKernel kernel, Inputs in, const Tensor& y) {
                      kernel(adaptive.eps, slot(in, 0), slot(in, 1), y.view<float>());
                    });
    const op::GlobalResponseNorm response;
    check_gpu_rungs(global_response_norm_ladder(), response,
                    {random_tensor(shape, 3), random_tensor(vector_shape(channels), 4),
                     random_tensor(vector_shape(channels), 5)},
                    [&](GlobalResponseNormKernel kernel, Inputs in, const Tensor& y) {
                      kernel(response, slot(in, 0), slot(in, 1), slot(in, 2), y.view<float>(), {});
                    });
  }
}

TEST_CASE("demodulate on the GPU: every rung matches the reference") {
  for (const int channels : {1, 7, 12, 150}) {
    const op::Demodulate demodulate;
    check_gpu_rungs(demodulate_ladder(), demodulate,
                    {random_tensor({5, 3, 2, channels}, 1), random_tensor({3, 1, 1, channels}, 2)},
                    [&](DemodulateKernel kernel, Inputs in, const Tensor& y) {
                      kernel(demodulate, slot(in, 0), slot(in, 1), y.view<float>());
                    });
  }
}

}  // namespace mend::test
