// The CUDA rungs of pooling against the references on the CPU.
#include "kernels/pool/pool.h"

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
        const int ran =
            check_gpu_rungs(adaptive_pool_ladder(), pool, {random_tensor(x, 1)},
                            [&](AdaptivePoolKernel kernel, Inputs inputs, const Tensor& y) {
                              kernel(pool, inputs[0].view<const float>(), y.view<float>(), {});
                            });
        CHECK(ran == 1);
      }
    }
  }
}

}  // namespace mend::test
