// LaMa's reflection before a 7x7 convolution, and padding of features to a multiple.
#include "bench/kernels/bench_rungs.h"
#include "kernels/pad/pad.h"

namespace mend::bench {
namespace {

void add_pad(const std::string& label, const op::Pad& pad, const Shape& x) {
  register_rungs(pad_ladder(), pad, label, {x},
                 [pad](PadKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                   kernel(pad, inputs[0].view<const float>(), y.view<float>());
                 });
}

const bool kRegistered = [] {
  add_pad("reflect3_4c/512x512", {3, 3, 3, 3, PadMode::kReflect}, {1, 512, 512, 4});
  add_pad("reflect1_64c/256x256", {1, 1, 1, 1, PadMode::kReflect}, {1, 256, 256, 64});
  return true;
}();

}  // namespace
}  // namespace mend::bench
