// U-Net's 2x2 maximum, NAFNet's global and local means, SAFMN's adaptive maximum.
#include "bench/kernels/bench_rungs.h"
#include "kernels/pool/pool.h"

namespace mend::bench {
namespace {

void add_adaptive(const std::string& label, const op::AdaptivePool& pool, const Shape& x) {
  register_rungs(
      adaptive_pool_ladder(), pool, label, {x},
      [pool](AdaptivePoolKernel kernel, Inputs inputs, const Tensor& y, Scratch scratch) {
        kernel(pool, inputs[0].view<const float>(), y.view<float>(), scratch);
      });
}

const bool kRegistered = [] {
  const op::Pool max2{PoolKind::kMax, 2, 2, 0};
  register_rungs(pool_ladder(), max2, "max2_64c/256x256", {{1, 256, 256, 64}},
                 [max2](PoolKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                   kernel(max2, inputs[0].view<const float>(), y.view<float>());
                 });
  add_adaptive("mean_64c/256x256", {PoolKind::kAverage, 1, 1}, {1, 256, 256, 64});
  const op::BoxMean box{24, 24};
  register_rungs(box_mean_ladder(), box, "box24_32c/128x128", {{1, 128, 128, 32}},
                 [box](BoxMeanKernel kernel, Inputs inputs, const Tensor& y, Scratch scratch) {
                   kernel(box, inputs[0].view<const float>(), y.view<float>(), scratch);
                 });
  add_adaptive("max_to_64x64_9c/512x512", {PoolKind::kMax, 64, 64}, {1, 512, 512, 9});
  return true;
}();

}  // namespace
}  // namespace mend::bench
