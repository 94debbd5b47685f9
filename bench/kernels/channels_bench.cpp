// The concatenations of a residual dense block, where they have to be copied (eager runs).
#include "bench/kernels/bench_rungs.h"
#include "kernels/channels/channels.h"

namespace mend::bench {
namespace {

const bool kRegistered = [] {
  const Shape x{1, 128, 128, 64}, growth{1, 128, 128, 32};
  register_rungs(concat_ladder(), op::Concat{}, "64+32+32+32c/128x128", {x, growth, growth, growth},
                 [](ConcatKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                   kernel(inputs, y.view<float>());
                 });
  return true;
}();

}  // namespace
}  // namespace mend::bench
