// RRDBNet's nearest x2 of features, Compact's nearest x4 of RGB, SCUNet-like bilinear x2, and the
// bicubic reduction with antialias that makes training pairs.
#include "bench/kernels/bench_rungs.h"
#include "kernels/resample/resample.h"

namespace mend::bench {
namespace {

void add_resample(const std::string& label, const op::Resample& resample, const Shape& x) {
  register_rungs(
      resample_ladder(), resample, label, {x},
      [resample](ResampleKernel kernel, Inputs inputs, const Tensor& y, Scratch scratch) {
        kernel(resample, inputs[0].view<const float>(), y.view<float>(), scratch);
      });
}

const bool kRegistered = [] {
  using Mode = ResampleMode;
  add_resample("nearest_x2_64c/128x128", {Mode::kNearest, 256, 256}, {1, 128, 128, 64});
  add_resample("nearest_x4_3c/128x128", {Mode::kNearest, 512, 512}, {1, 128, 128, 3});
  add_resample("bilinear_x2_64c/128x128", {Mode::kBilinear, 256, 256}, {1, 128, 128, 64});
  add_resample("bilinear_x2_3c/256x256", {Mode::kBilinear, 512, 512}, {1, 256, 256, 3});
  add_resample("bicubic_to_quarter_3c/512x512", {Mode::kBicubic, 128, 128, 0, 0, false, true},
               {1, 512, 512, 3});
  return true;
}();

}  // namespace
}  // namespace mend::bench
