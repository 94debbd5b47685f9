// The CUDA rungs of the Fourier transforms, and of arithmetic on spectra, against the references on the CPU.
#include "kernels/fft/fft.h"

#include "kernels/fft/gradient.h"
#include "kernels/fft/spectrum.h"
#include "tests/gpu/gpu_rungs.h"

namespace mend::test {
namespace {

template <class Op>
auto call_kernel(const Op& op) {
  return [op](const FftKernel<Op>& kernel, Inputs inputs, const Tensor& y) {
    kernel.run(op, inputs[0].view<const float>(), y.view<float>(), {});
  };
}
template <class Op>
auto call_product(const Op& op) {
  return [op](SpectrumKernel<Op> kernel, Inputs inputs, const Tensor& y) {
    kernel(op, inputs[0].view<const float>(), inputs[1].view<const float>(), y.view<float>());
  };
}

/// Both directions; the inverse of any numbers, not of a spectrum of a real image. `rungs`: that run.
void check_transforms(FftNorm norm, const Shape& image, int patch, int rungs) {
  const op::RealFft2 forward{norm, patch};
  CHECK(check_gpu_rungs(real_fft2_ladder(), forward, {random_tensor(image, 1)},
                        call_kernel(forward)) == rungs);
  const op::InverseRealFft2 inverse{norm, image.w, patch};
  CHECK(check_gpu_rungs(inverse_real_fft2_ladder(), inverse,
                        {random_tensor(forward.shape({image}), 2)}, call_kernel(inverse)) == rungs);
}

/// cuda_lines alone, for the sums of the others take long; there and back.
void check_lines(const Shape& image) {
  const op::RealFft2 forward{FftNorm::kOrtho, 0};
  const op::InverseRealFft2 inverse{FftNorm::kOrtho, image.w, 0};
  const Tensor x = random_tensor(image, 1);
  force_variant("real_fft2", "cuda_lines");
  force_variant("inverse_real_fft2", "cuda_lines");
  gpu(0).make_current();
  const Tensor spectrum = mend::apply(forward, {to_gpu(x)});
  const Tensor back = mend::apply(inverse, {spectrum});
  clear_forced_variants();
  CHECK(relative_error(to_host(spectrum), mend::apply(forward, {x})) <= 2e-6);
  CHECK(relative_error(to_host(back), x) <= 2e-6);
}

}  // namespace

TEST_CASE("fft on the GPU: every rung matches the reference on images of any size") {
  // Powers, every coded radix, primes that are one stage (13, 37, 89), and lanes that fill blocks and do not.
  const Shape kAwkward[] = {
      {1, 1, 1, 1},   {1, 1, 2, 3},  {2, 2, 1, 5},   {1, 1, 37, 3},  {1, 13, 7, 33},
      {2, 5, 7, 3},   {1, 7, 13, 1}, {1, 3, 89, 2},  {1, 16, 32, 7}, {3, 9, 30, 8},
      {1, 49, 22, 3}, {1, 64, 8, 2}, {1, 10, 24, 4}, {1, 4, 178, 1},
  };
  for (const Shape& shape : kAwkward) {
    check_transforms(FftNorm::kBackward, shape, 0, 2);
    check_transforms(FftNorm::kOrtho, shape, 0, 2);
  }
}

TEST_CASE("fft on the GPU: long lines, with few lanes of a block") {
  // 16, 8, 4, 2 lanes and one; not a multiple of what the elements are exchanged within.
  for (const int length : {243, 500, 512, 875, 1024, 2187, 4096}) {
    CAPTURE(length);
    check_lines({1, 1, length, 3});
    check_lines({1, length, 2, 1});
  }
}

TEST_CASE("fft on the GPU: lines that do not fit, and large primes, are left to the sum") {
  check_transforms(FftNorm::kOrtho, {1, 1, 97, 2}, 0, 1);
  const op::RealFft2 forward;
  CHECK(choose(real_fft2_ladder(), forward, {{1, 4097, 8, 1}}, DeviceKind::kCuda).name ==
        "real_fft2/cuda_naive");
}

TEST_CASE("fft on the GPU: every rung matches the reference on patches") {
  for (const Shape& shape : {Shape{1, 8, 8, 1}, Shape{2, 16, 24, 3}, Shape{1, 8, 40, 48}}) {
    check_transforms(FftNorm::kBackward, shape, 8, 3);
  }
  check_transforms(FftNorm::kOrtho, {1, 16, 8, 4}, 8, 3);
  check_transforms(FftNorm::kOrtho, {1, 10, 15, 7}, 5, 2);
  check_transforms(FftNorm::kOrtho, {1, 2, 3, 4}, 1, 2);
}

TEST_CASE("spectra on the GPU: every rung matches the reference") {
  const std::pair<Shape, Shape> kCases[] = {
      {{2, 4, 5, 6}, {2, 4, 5, 6}},     {{1, 16, 10, 8}, {1, 8, 5, 8}},
      {{2, 8, 15, 24}, {1, 8, 5, 24}},  {{4, 3, 5, 2}, {2, 1, 1, 2}},
      {{1, 24, 20, 32}, {1, 8, 5, 32}}, {{3, 1, 1, 10}, {1, 1, 1, 10}},
  };
  for (const auto& [x, z] : kCases) {
    for (const bool conjugate : {false, true}) {
      const op::ComplexMultiply product{conjugate};
      CHECK(check_gpu_rungs(complex_multiply_ladder(), product,
                            {random_tensor(x, 1), random_tensor(z, 2)},
                            call_product(product)) == 1);
    }
    const op::SpectralGain gain;
    CHECK(check_gpu_rungs(spectral_gain_ladder(), gain,
                          {random_tensor(x, 1), random_tensor({z.n, z.h, z.w, z.c / 2}, 2)},
                          call_product(gain)) == 1);
    for (const bool pairs : {false, true}) {
      const op::SumRepeats sum{{z.n, z.h, z.w, pairs ? z.c / 2 : z.c}, pairs};
      CHECK(check_gpu_rungs(sum_repeats_ladder(), sum, {random_tensor(x, 1)},
                            [&](SumRepeatsKernel kernel, Inputs inputs, const Tensor& y) {
                              kernel(sum, inputs[0].view<const float>(), y.view<float>());
                            }) == 1);
    }
  }
}

}  // namespace mend::test
