#include "kernels/normalization/batch_norm.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "engine/error.h"
#include "engine/plan.h"
#include "kernels/elementwise/elementwise.h"
#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

// More rows than stripes, rows longer than a block, one pixel, every remainder of a vector.
const Shape kAwkward[] = {{1, 1, 1, 1},  {1, 1, 2, 3},   {2, 3, 5, 7},    {3, 4, 3, 16},
                          {2, 3, 4, 30}, {1, 2, 3, 48},  {5, 2, 3, 127},  {1, 1, 300, 64},
                          {4, 33, 3, 5}, {2, 1, 9, 513}, {1, 1, 3, 9000}, {1, 1, 8195, 1}};

void check_statistics(const Tensor& x) {
  check_rungs(batch_statistics_ladder(), op::BatchStatistics{}, {x},
              [](BatchStatisticsKernel kernel, Inputs in, const Tensor& y, Scratch scratch) {
                kernel(in[0].view<const float>(), y.view<float>(), scratch);
              });
}

void check_norm(const op::BatchNorm& norm, const std::vector<Tensor>& inputs) {
  check_rungs(batch_norm_ladder(), norm, inputs,
              [&](BatchNormKernel kernel, Inputs in, const Tensor& y, Scratch scratch) {
                const auto vector = [&](std::size_t i) {
                  return i < in.size() ? in[i].view<const float>() : View<const float>{};
                };
                kernel(norm.eps, vector(0), vector(1), vector(2), vector(3), y.view<float>(),
                       scratch);
              });
}

/// offset + spread · x
Tensor shifted(const Tensor& x, float offset, float spread) {
  return apply(op::Affine{.scale = spread, .offset = offset}, {x});
}

}  // namespace

TEST_CASE("batch_norm: output and running statistics equal the official implementation") {
  const std::string path = shared_path("goldens/ops/batch_norm__train.safetensors");
  if (!require_data(path)) return;
  const Golden golden = load_golden(path);
  const Tensor x = golden.at("input");
  const auto vector = [&](const char* key) { return to_tensor(golden.weights.tensors.at(key)); };
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    const Tensor statistics = apply(op::BatchStatistics{}, {x});
    const Tensor y = apply(op::BatchNorm{1e-5f}, {x, statistics, vector("weight"), vector("bias")});
    CHECK(max_error(y, golden.at("output")) <= 2e-6);
    const Tensor mean = golden.at("buffers/running_mean").clone();
    const Tensor variance = golden.at("buffers/running_var").clone();
    update_running_statistics(statistics, x.shape().pixels(), 0.1, mean, variance);
    CHECK(max_error(mean, golden.at("running_mean_after")) <= 5e-7);
    CHECK(max_error(variance, golden.at("running_var_after")) <= 5e-7);
  });
}

TEST_CASE("batch_statistics, batch_norm: every rung matches the reference") {
  for (const Shape& shape : kAwkward) {
    const Tensor x = shifted(random_tensor(shape, 1), 0.3f, 2.0f);
    const Tensor statistics = shifted(random_tensor({1, 1, 2, shape.c}, 2), 1.1f, 1.0f);
    const Tensor gamma = random_tensor(vector_shape(shape.c), 3);
    const Tensor beta = random_tensor(vector_shape(shape.c), 4);
    check_statistics(x);
    check_norm({1e-5f}, {x, statistics});
    check_norm({1e-3f}, {x, statistics, gamma});
    check_norm({1e-5f}, {x, statistics, Tensor(), beta});
    check_norm({1e-5f}, {x, statistics, gamma, beta});
  }
}

TEST_CASE("batch_statistics: variances are right where the mean is 10000 times the deviation") {
  const Tensor x = shifted(random_tensor({3, 20, 21, 37}, 5), 1000.0f, 0.1f);
  const Tensor expected = Tensor::empty({1, 1, 2, 37});
  batch_statistics_reference(x.view<const float>(), expected.view<float>(), {});
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    const Tensor y = apply(op::BatchStatistics{}, {x});
    CHECK(relative_error(y.crop(0, 1, 1, 1), expected.crop(0, 1, 1, 1)) <= 1e-6);
  });
}

TEST_CASE("batch_statistics: a channel without variation has variance 0, one NaN spoils its own") {
  const Tensor x = Tensor::full({2, 3, 3, 19}, 0.1f);
  x.view<float>()(1, 2, 0, 17) = std::numeric_limits<float>::quiet_NaN();
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    const Tensor statistics = apply(op::BatchStatistics{}, {x});
    const View<const float> y = statistics.view<const float>();
    for (int c = 0; c < 19; ++c) {
      CAPTURE(c);
      CHECK(std::isnan(y(0, 0, 0, c)) == (c == 17));
      CHECK(std::isnan(y(0, 0, 1, c)) == (c == 17));
      if (c == 17) continue;
      CHECK(y(0, 0, 0, c) == 0.1f);
      CHECK(y(0, 0, 1, c) == 0.0f);
    }
  });
}

TEST_CASE("batch_norm: a plan gives the numbers of the eager run, and sees the whole image") {
  const Tensor x = random_tensor({2, 9, 7, 24}, 6);
  const Tensor gamma = random_tensor(vector_shape(24), 7);
  const Network network = [&](const std::vector<Tensor>& inputs) {
    const Tensor statistics = apply(op::BatchStatistics{}, {inputs[0]});
    return std::vector<Tensor>{apply(op::BatchNorm{}, {inputs[0], statistics, gamma})};
  };
  Plan plan(network, {x.shape()});
  plan.poison();
  CHECK(identical(plan({x})[0], network({x})[0]));
  CHECK(plan.footprint().global);
}

TEST_CASE("batch_norm: what does not fit is refused with both sides") {
  const Shape x{2, 4, 4, 6}, statistics{1, 1, 2, 6};
  CHECK_THROWS_WITH_AS(op::BatchNorm{}.shape({x, {1, 1, 1, 6}}),
                       "batch_norm: statistics is [1,1,1,6], but x [2,4,4,6] wants [1,1,2,6]",
                       ShapeError);
  CHECK_THROWS_WITH_AS(op::BatchNorm{}.shape({x, statistics, vector_shape(5)}),
                       "batch_norm: gamma is [1,1,1,5], but x [2,4,4,6] wants [1,1,1,6]",
                       ShapeError);
  const Tensor mean = Tensor::zeros(vector_shape(6)), other = Tensor::zeros(vector_shape(5));
  CHECK_THROWS_WITH_AS(update_running_statistics(Tensor::zeros(statistics), 32, 0.1, mean, other),
                       "update_running_statistics: statistics [1,1,2,6] take a mean and a variance "
                       "of [1,1,1,6], but "
                       "they are [1,1,1,6] and [1,1,1,5]",
                       ShapeError);
  CHECK_THROWS_WITH_AS(
      update_running_statistics(Tensor::zeros(statistics), 1, 0.1, mean, mean),
      "update_running_statistics: the batch has 1 pixel, and needs two or more for a variance",
      ShapeError);
}

}  // namespace mend::test
