// The last layer of Compact and ESPCN (48 channels to RGB), SwinIR's and EDSR's x2 stages, and
// Restormer's and Real-ESRGAN x2's unshuffles.
#include "bench/kernels/bench_rungs.h"
#include "kernels/pixel_shuffle/pixel_shuffle.h"

namespace mend::bench {
namespace {

void add_shuffle(const std::string& label, int factor, const Shape& x) {
  const op::PixelShuffle op{factor};
  register_rungs(pixel_shuffle_ladder(), op, label, {x},
                 [op](PixelShuffleKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                   kernel(op, inputs[0].view<const float>(), y.view<float>());
                 });
}

void add_unshuffle(const std::string& label, int factor, const Shape& x) {
  const op::PixelUnshuffle op{factor};
  register_rungs(pixel_unshuffle_ladder(), op, label, {x},
                 [op](PixelUnshuffleKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                   kernel(op, inputs[0].view<const float>(), y.view<float>());
                 });
}

const bool kRegistered = [] {
  add_shuffle("x4_48to3c/256x256", 4, {1, 256, 256, 48});
  add_shuffle("x2_256to64c/128x128", 2, {1, 128, 128, 256});
  add_unshuffle("x2_3to12c/512x512", 2, {1, 512, 512, 3});
  add_unshuffle("x2_24to96c/256x256", 2, {1, 256, 256, 24});
  return true;
}();

}  // namespace
}  // namespace mend::bench
