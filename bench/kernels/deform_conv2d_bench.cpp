// Feature alignment as in EDVR and BasicVSR++: 64 channels, 3x3, 8 or 16 offset groups.
#include "bench/kernels/bench_rungs.h"
#include "kernels/deform_conv2d/deform_conv2d.h"

namespace mend::bench {
namespace {

void add_deform_conv2d(const std::string& label, int offset_groups, const Shape& x) {
  const op::DeformConv2d op{3, 3, 1, 1, 1, 1, 1, offset_groups};
  const int taps = 9 * offset_groups;
  register_rungs(
      deform_conv2d_ladder(), op, label,
      {x, {x.n, x.h, x.w, 2 * taps}, {x.n, x.h, x.w, taps}, {x.c, 3, 3, x.c}, vector_shape(x.c)},
      [op](const DeformConv2dKernel& kernel, Inputs inputs, const Tensor& y, Scratch scratch) {
        kernel.run(deform_conv2d_call(op, inputs, y, scratch));
      });
}

const bool kRegistered = [] {
  add_deform_conv2d("64c_g8/32x32", 8, {1, 32, 32, 64});
  add_deform_conv2d("64c_g16/32x32", 16, {1, 32, 32, 64});
  return true;
}();

}  // namespace
}  // namespace mend::bench
