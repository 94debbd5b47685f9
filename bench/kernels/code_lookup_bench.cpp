// The code look-up of CodeFormer.
#include "bench/kernels/bench_rungs.h"
#include "kernels/code_lookup/code_lookup.h"

namespace mend::bench {
namespace {

const bool kRegistered = [] {
  register_rungs(code_lookup_ladder(), op::CodeLookup{}, "1024_256c/16x16",
                 {{1, 1, 256, 1024}, {1, 1, 1024, 256}},
                 [](CodeLookupKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                   kernel(inputs[0].view<const float>(), inputs[1].view<const float>(),
                          y.view<float>());
                 });
  return true;
}();

}  // namespace
}  // namespace mend::bench
