// Warping an RGB image, and features by a flow.
#include "bench/kernels/bench_rungs.h"
#include "kernels/grid_sample/grid_sample.h"

namespace mend::bench {
namespace {

void add_grid_sample(const std::string& label, const op::GridSample& op, const Shape& x) {
  register_rungs(grid_sample_ladder(), op, label, {x, {x.n, x.h, x.w, 2}},
                 [op](GridSampleKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                   kernel(op, inputs[0].view<const float>(), inputs[1].view<const float>(),
                          y.view<float>());
                 });
}

const bool kRegistered = [] {
  using Mode = SampleMode;
  using Padding = SamplePadding;
  add_grid_sample("bilinear_64c/128x128", {Mode::kBilinear, Padding::kBorder, true},
                  {1, 128, 128, 64});
  add_grid_sample("bilinear_3c/256x256", {Mode::kBilinear, Padding::kZeros}, {1, 256, 256, 3});
  add_grid_sample("bicubic_3c/256x256", {Mode::kBicubic, Padding::kReflection}, {1, 256, 256, 3});
  return true;
}();

}  // namespace
}  // namespace mend::bench
