// Products as CodeFormer's and DDColor's decoders have them, and the square one everybody knows.
#include "bench/kernels/bench_rungs.h"
#include "kernels/matmul/matmul.h"

namespace mend::bench {
namespace {

void add(const std::string& label, const op::Matmul& matmul, const Shape& a, const Shape& b) {
  register_rungs(matmul_ladder(), matmul, label, {a, b},
                 [matmul](MatmulKernel kernel, Inputs inputs, const Tensor& y, Scratch scratch) {
                   kernel(matmul, inputs[0].view<const float>(), inputs[1].view<const float>(),
                          y.view<float>(), scratch);
                 });
}

const bool kRegistered = [] {
  add("nn/512x512x512", {}, {1, 1, 512, 512}, {1, 1, 512, 512});
  add("nt/16384x256x100", {false, true}, {1, 1, 16384, 256}, {1, 1, 100, 256});
  add("nn/256x1024x256", {}, {1, 1, 256, 1024}, {1, 1, 1024, 256});
  add("tn/8x48x4096x48", {true, false}, {1, 8, 4096, 48}, {1, 8, 4096, 48});
  return true;
}();

}  // namespace
}  // namespace mend::bench
