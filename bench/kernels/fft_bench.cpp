// LaMa's Fourier units at 512x512 pixels (64x64 with 192 channels, and one of an
// odd size), an image, a prime size, and FFTformer's patches.
#include "bench/kernels/bench_rungs.h"
#include "kernels/fft/fft.h"
#include "kernels/fft/spectrum.h"

namespace mend::bench {
namespace {

void add_fft(const std::string& label, const Shape& image, int patch) {
  const op::RealFft2 forward{FftNorm::kOrtho, patch};
  register_rungs(real_fft2_ladder(), forward, label, {image},
                 [forward](const auto& kernel, Inputs inputs, const Tensor& y, Scratch scratch) {
                   kernel.run(forward, inputs[0].view<const float>(), y.view<float>(), scratch);
                 });
  const op::InverseRealFft2 inverse{FftNorm::kOrtho, image.w, patch};
  register_rungs(inverse_real_fft2_ladder(), inverse, label, {forward.shape({image})},
                 [inverse](const auto& kernel, Inputs inputs, const Tensor& y, Scratch scratch) {
                   kernel.run(inverse, inputs[0].view<const float>(), y.view<float>(), scratch);
                 });
}

void add_product(const std::string& label, const Shape& x) {
  const op::ComplexMultiply op;
  register_rungs(complex_multiply_ladder(), op, label, {x, x},
                 [op](const auto& kernel, Inputs inputs, const Tensor& y, Scratch) {
                   kernel(op, inputs[0].view<const float>(), inputs[1].view<const float>(),
                          y.view<float>());
                 });
}

const bool kRegistered = [] {
  add_fft("192c/64x64", {1, 64, 64, 192}, 0);
  add_fft("192c/75x50", {1, 50, 75, 192}, 0);
  add_fft("16c/256x256", {1, 256, 256, 16}, 0);
  add_fft("64c/127x127", {1, 127, 127, 64}, 0);
  add_fft("48c_patch8/128x128", {1, 128, 128, 48}, 8);
  add_product("48c/128x80", {1, 128, 80, 96});
  return true;
}();

}  // namespace
}  // namespace mend::bench
