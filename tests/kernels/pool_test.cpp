#include "kernels/pool/pool.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

const struct {
  const char* file;
  AnyOp pool;
} kFixtures[] = {
    {"adaptive_avg_1", op::AdaptivePool{PoolKind::kAverage, 1, 1}},
    {"adaptive_avg_3x5", op::AdaptivePool{PoolKind::kAverage, 3, 5}},
    {"adaptive_max_3x4", op::AdaptivePool{PoolKind::kMax, 3, 4}},
    {"avg_2", op::Pool{PoolKind::kAverage, 2, 2}},
    {"avg_2_s1", op::Pool{PoolKind::kAverage, 2, 1}},
    {"avg_3_s1_p1_countpad", op::Pool{PoolKind::kAverage, 3, 1, 1}},
    {"max_2", op::Pool{PoolKind::kMax, 2, 2}},
    {"max_3_s2_p1", op::Pool{PoolKind::kMax, 3, 2, 1}},
    {"max_7_s3", op::Pool{PoolKind::kMax, 7, 3}},
};

void check_pool(const op::Pool& pool, const Tensor& x) {
  check_rungs(pool_ladder(), pool, {x},
              [&](PoolKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                kernel(pool, inputs[0].view<const float>(), y.view<float>());
              });
}

void check_adaptive_pool(const op::AdaptivePool& pool, const Tensor& x) {
  check_rungs(adaptive_pool_ladder(), pool, {x},
              [&](AdaptivePoolKernel kernel, Inputs inputs, const Tensor& y, Scratch scratch) {
                kernel(pool, inputs[0].view<const float>(), y.view<float>(), scratch);
              });
}

void check_box_mean(const op::BoxMean& box, const Tensor& x) {
  check_rungs(box_mean_ladder(), box, {x},
              [&](BoxMeanKernel kernel, Inputs inputs, const Tensor& y, Scratch scratch) {
                kernel(box, inputs[0].view<const float>(), y.view<float>(), scratch);
              });
}

}  // namespace

TEST_CASE("pool: equals the official implementation") {
  for (const auto& fixture : kFixtures) {
    const std::string path =
        shared_path(std::string("goldens/ops/pool__") + fixture.file + ".safetensors");
    if (!require_data(path)) return;
    CAPTURE(fixture.file);
    const Golden golden = load_golden(path);
    CHECK(max_error(apply(fixture.pool, {golden.at("input")}), golden.at("output")) <= 1e-6);
  }
}

TEST_CASE("pool: every rung matches the reference") {
  for (const PoolKind kind : {PoolKind::kMax, PoolKind::kAverage}) {
    for (const int channels : {1, 3, 16, 127}) {
      check_pool({kind, 1, 1, 0}, random_tensor({1, 1, 1, channels}, 1));
      check_pool({kind, 2, 2, 0}, random_tensor({2, 5, 7, channels}, 2));
      check_pool({kind, 3, 1, 1}, random_tensor({1, 5, 7, channels}, 3));
      check_pool({kind, 3, 2, 1}, random_tensor({1, 6, 7, channels}, 4));
      check_pool({kind, 7, 3, 3}, random_tensor({1, 9, 8, channels}, 5));
      check_pool({kind, 2, 3, 0}, random_tensor({1, 9, 8, channels}, 6));
    }
  }
}

TEST_CASE("adaptive_pool: every rung matches the reference") {
  for (const PoolKind kind : {PoolKind::kMax, PoolKind::kAverage}) {
    for (const int channels : {1, 3, 16, 127}) {
      for (const Shape& x :
           {Shape{1, 1, 1, channels}, Shape{2, 5, 7, channels}, Shape{1, 13, 130, channels}}) {
        check_adaptive_pool({kind, 1, 1}, random_tensor(x, 1));
        check_adaptive_pool({kind, 3, 4}, random_tensor(x, 2));
        check_adaptive_pool({kind, 1, 2}, random_tensor(x, 3));
        check_adaptive_pool({kind, x.h, x.w}, random_tensor(x, 4));
      }
    }
  }
}

TEST_CASE("adaptive_pool: the mean of a 1080p plane is right to 1e-6") {
  // A running float sum of 2 million numbers near 0.7 is 1e-5 off.
  const Tensor x = Tensor::full({1, 1080, 1920, 2}, 0.7f);
  const Tensor y = apply(op::AdaptivePool{PoolKind::kAverage, 1, 1}, {x});
  CHECK(std::abs(y.view<const float>()(0, 0, 0, 1) - 0.7f) <= 0.7e-6f);
}

TEST_CASE("pool, adaptive_pool: one NaN makes its window NaN") {
  const Tensor x = Tensor::full({1, 4, 4, 19}, 1.0f);
  for (int c = 0; c < 19; ++c)
    x.view<float>()(0, 1, 0, c) = std::numeric_limits<float>::quiet_NaN();
  const AnyOp pools[] = {op::Pool{PoolKind::kMax, 2, 2}, op::Pool{PoolKind::kAverage, 2, 2},
                         op::AdaptivePool{PoolKind::kMax, 2, 2},
                         op::AdaptivePool{PoolKind::kMax, 1, 1},
                         op::AdaptivePool{PoolKind::kAverage, 1, 1}};
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    for (const AnyOp& pool : pools) {
      CAPTURE(pool.describe());
      const Tensor y = apply(pool, {x});
      const View<const float> view = y.view<const float>();
      CHECK(std::isnan(view(0, 0, 0, 0)));
      CHECK(std::isnan(view(0, 0, 0, 18)));
      if (y.shape().h == 2) CHECK(view(0, 1, 1, 0) == 1.0f);
    }
  });
}

TEST_CASE("pool, adaptive_pool: impossible windows are refused") {
  CHECK_THROWS_WITH_AS(op::Pool({PoolKind::kMax, 3, 2, 0}).shape({{1, 2, 9, 3}}),
                       "pool: a window of 3 x 3 with padding 0 does not fit in [1,2,9,3]",
                       ShapeError);
  CHECK_THROWS_WITH_AS(op::Pool({PoolKind::kMax, 3, 2, 2}).shape({{1, 9, 9, 3}}),
                       "pool: padding 2 is more than half of kernel 3", ShapeError);
  CHECK_THROWS_AS(op::AdaptivePool({PoolKind::kMax, 0, 1}).shape({{1, 9, 9, 3}}), ShapeError);
}

TEST_CASE("pool, adaptive_pool: cost and footprint") {
  const Shapes in = {{1, 8, 16, 4}};
  CHECK(op::Pool({PoolKind::kMax, 2, 2}).cost(in).bytes == (512 + 128) * 4);
  CHECK(op::Pool({PoolKind::kMax, 2, 2}).footprint(in) == Footprint{0, 0.5, 2, false});
  CHECK(op::Pool({PoolKind::kAverage, 3, 1, 1}).footprint(in) == Footprint{1, 1, 1, false});
  CHECK(op::Pool({PoolKind::kMax, 3, 2, 1}).footprint(in) == Footprint{1, 0.5, 2, false});
  CHECK(op::Pool({PoolKind::kMax, 7, 3, 0}).footprint(in).radius == 4);
  CHECK(op::AdaptivePool({PoolKind::kMax, 1, 1}).footprint(in).global);
  CHECK(op::AdaptivePool({PoolKind::kMax, 3, 4}).footprint(in).global);
  CHECK(op::AdaptivePool({PoolKind::kMax, 2, 2}).footprint(in).global);
  CHECK(op::AdaptivePool({PoolKind::kMax, 2, 4}).footprint(in) == Footprint{0, 0.25, 4, false});
}

TEST_CASE("box_mean: every rung matches the reference") {
  for (const int channels : {1, 3, 16, 127}) {
    check_box_mean({1, 1}, random_tensor({2, 3, 5, channels}, 1));
    check_box_mean({3, 4}, random_tensor({2, 7, 9, channels}, 2));
    check_box_mean({5, 2}, random_tensor({1, 37, 11, channels}, 3));
    check_box_mean({9, 3}, random_tensor({1, 4, 9, channels}, 4));  // taller than the image
    check_box_mean({20, 20}, random_tensor({1, 5, 6, channels}, 5));
  }
}

TEST_CASE("box_mean: windows move into the image where they would reach out") {
  const Tensor x = Tensor::from({1, 1, 5, 1}, std::vector<float>{1, 2, 3, 4, 10});
  const Tensor y = apply(op::BoxMean{1, 4}, {x});  // [1,4] [1,4] [2,5] [2,5] [2,5]
  const std::vector<float> expected = {2.5f, 2.5f, 4.75f, 4.75f, 4.75f};
  CHECK(max_error(y, Tensor::from({1, 1, 5, 1}, expected)) <= 0);
}

TEST_CASE("box_mean: a kernel that covers the image gives the global mean, and is global") {
  const Tensor x = random_tensor({1, 6, 7, 5}, 1);
  const Tensor mean = apply(op::AdaptivePool{PoolKind::kAverage, 1, 1}, {x});
  const Tensor y = apply(op::BoxMean{6, 9}, {x});
  CHECK(max_error(y.crop(5, 3, 1, 1), mean) <= 1e-6);
  CHECK(op::BoxMean({6, 9}).footprint({x.shape()}).global);
  CHECK(op::BoxMean({6, 5}).footprint({x.shape()}) == Footprint{5, 1, 1, false});
  CHECK_THROWS_AS(op::BoxMean({0, 1}).shape({x.shape()}), ShapeError);
}

}  // namespace mend::test
