// The CUDA rungs of pooling against the references on the CPU.
#include "kernels/pool/pool.h"

#include <cmath>

#include "kernels/pool/gradient.h"
#include "tests/gpu/gpu_rungs.h"

namespace mend::test {

TEST_CASE("pool on the GPU: every rung matches the reference") {
  for (const PoolKind kind : {PoolKind::kMax, PoolKind::kAverage}) {
    for (const op::Pool& pool :
         {op::Pool{kind, 2, 2}, op::Pool{kind, 3, 2, 1}, op::Pool{kind, 7, 3}}) {
      for (const int channels : {1, 3, 8}) {
        const int ran =
            check_gpu_rungs(pool_ladder(), pool, {random_tensor({2, 7, 10, channels}, 1)},
                            [&](PoolKernel kernel, Inputs inputs, const Tensor& y) {
                              kernel(pool, inputs[0].view<const float>(), y.view<float>());
                            });
        CHECK(ran == 1);
      }
    }
  }
}

TEST_CASE("adaptive_pool on the GPU: every rung matches the reference") {
  for (const PoolKind kind : {PoolKind::kMax, PoolKind::kAverage}) {
    for (const op::AdaptivePool& pool :
         {op::AdaptivePool{kind, 1, 1}, op::AdaptivePool{kind, 3, 4}}) {
      for (const Shape& x : {Shape{2, 7, 10, 3}, {1, 40, 33, 1}, {2, 5, 6, 72}}) {
        const int ran = check_gpu_rungs(
            adaptive_pool_ladder(), pool, {random_tensor(x, 1)},
            [&](AdaptivePoolKernel kernel, Inputs inputs, const Tensor& y) {
              kernel(pool, inputs[0].view<const float>(), y.view<float>(), Scratch{});
            });
        CHECK(ran == 1);
      }
    }
  }
}

TEST_CASE("box_mean on the GPU: every rung matches the reference") {
  for (const op::BoxMean& box : {op::BoxMean{1, 1}, {3, 2}, {20, 5}, {6, 40}, {100, 100}}) {
    for (const Shape& x : {Shape{2, 7, 10, 3}, {1, 45, 33, 4}, {2, 40, 6, 8}}) {
      const int ran =
          check_gpu_rungs(box_mean_ladder(), box, {random_tensor(x, 1)},
                          [&](BoxMeanKernel kernel, Inputs inputs, const Tensor& y) {
                            kernel(box, inputs[0].view<const float>(), y.view<float>(), {});
                          });
      CHECK(ran == 1);
    }
  }
}

TEST_CASE("mean_gradient on the GPU: every rung matches the reference") {
  const op::MeanGradient kMeans[] = {{op::Pool{PoolKind::kAverage, 3, 2, 1}, 6, 9},
                                     {op::AdaptivePool{PoolKind::kAverage, 4, 5}, 6, 9},
                                     {op::AdaptivePool{PoolKind::kAverage, 9, 12}, 6, 9},
                                     {op::BoxMean{4, 7}, 6, 9}};
  for (const op::MeanGradient& op : kMeans) {
    for (const int channels : {3, 8}) {
      const Shape dy = std::visit(
          [&](const auto& pool) {
            return pool.shape({{2, 6, 9, channels}});
          },
          op.pool);
      const int ran =
          check_gpu_rungs(mean_gradient_ladder(), op, {random_tensor(dy, 1)},
                          [&](MeanGradientKernel kernel, Inputs inputs, const Tensor& y) {
                            kernel(op, inputs[0].view<const float>(), y.view<float>(), {});
                          });
      CHECK(ran == 2);
    }
  }
}

TEST_CASE("max_gradient on the GPU: every rung matches the reference") {
  const op::MaxGradient kMaxima[] = {
      {op::Pool{PoolKind::kMax, 2, 2}},           {op::Pool{PoolKind::kMax, 3, 2, 1}},
      {op::Pool{PoolKind::kMax, 9, 4, 4}},        {op::AdaptivePool{PoolKind::kMax, 4, 5}},
      {op::AdaptivePool{PoolKind::kMax, 17, 13}}, {op::AdaptivePool{PoolKind::kMax, 1, 1}}};
  for (const op::MaxGradient& op : kMaxima) {
    for (const int channels : {1, 19, 40}) {
      const Shape x{2, 11, 14, channels};
      const Shape dy = std::visit([&](const auto& pool) { return pool.shape({x}); }, op.pool);
      // Few values, so that many are equal.
      const Tensor coarse = random_tensor(x, 1);
      float* values = coarse.view<float>().data;
      for (std::int64_t i = 0; i < x.elements(); ++i) values[i] = std::round(3 * values[i]);
      const int ran =
          check_gpu_rungs(max_gradient_ladder(), op, {coarse, random_tensor(dy, 2)},
                          [&](MaxGradientKernel kernel, Inputs inputs, const Tensor& y) {
                            kernel(op, inputs[0].view<const float>(), inputs[1].view<const float>(),
                                   y.view<float>());
                          });
      CHECK(ran == 1);
    }
  }
}

}  // namespace mend::test
