#include "kernels/fft/spectrum.h"

#include <doctest/doctest.h>

#include "kernels/fft/fft.h"
#include "tests/support/guarded.h"

namespace mend::test {
namespace {

template <class Op>
auto call_kernel(const Op& op) {
  return [op](SpectrumKernel<Op> kernel, Inputs inputs, const Tensor& y, Scratch) {
    kernel(op, inputs[0].view<const float>(), inputs[1].view<const float>(), y.view<float>());
  };
}

}  // namespace

TEST_CASE("complex_multiply: every rung matches the reference") {
  for (const bool conjugate_b : {false, true}) {
    const op::ComplexMultiply op{conjugate_b};
    const auto check = [&](const Shape& x, const Shape& z) {
      check_rungs(complex_multiply_ladder(), op, {random_tensor(x, 1), random_tensor(z, 2)},
                  call_kernel(op));
    };
    check({1, 1, 1, 2}, {1, 1, 1, 2});
    check({2, 5, 7, 6}, {2, 5, 7, 6});
    check({1, 3, 4, 254}, {1, 3, 4, 254});
    check({2, 16, 15, 34}, {1, 8, 5, 34});
    check({2, 4, 3, 128}, {1, 1, 1, 128});
  }
}

TEST_CASE("spectral_gain: every rung matches the reference") {
  const op::SpectralGain op;
  const auto check = [&](const Shape& x, const Shape& gain) {
    check_rungs(spectral_gain_ladder(), op, {random_tensor(x, 1), random_tensor(gain, 2)},
                call_kernel(op));
  };
  check({1, 1, 1, 2}, {1, 1, 1, 1});
  check({2, 16, 15, 34}, {1, 8, 5, 17});
  check({1, 3, 4, 254}, {1, 3, 4, 127});
}

TEST_CASE("complex_multiply: a product of spectra is a circular convolution") {
  const Shape shape{1, 5, 6, 1};
  const Tensor a = random_tensor(shape, 1), b = random_tensor(shape, 2);
  const Tensor product =
      apply(op::ComplexMultiply{}, {apply(op::RealFft2{}, {a}), apply(op::RealFft2{}, {b})});
  const Tensor expected = Tensor::empty(shape);
  const View<const float> x = a.view<const float>(), z = b.view<const float>();
  for (int h = 0; h < 5; ++h)
    for (int w = 0; w < 6; ++w) {
      double sum = 0;
      for (int r = 0; r < 5; ++r)
        for (int s = 0; s < 6; ++s) {
          sum += double(x(0, r, s, 0)) * z(0, (h - r + 5) % 5, (w - s + 6) % 6, 0);
        }
      expected.view<float>()(0, h, w, 0) = static_cast<float>(sum);
    }
  const op::InverseRealFft2 inverse{FftNorm::kBackward, 6};
  CHECK(relative_error(apply(inverse, {product}), expected) <= 2e-6);
}

TEST_CASE("spectrum: operands that do not fit are refused with both sides") {
  CHECK_THROWS_WITH_AS(
      (op::ComplexMultiply{}.shape({{1, 8, 5, 4}, {1, 8, 4, 4}})),
      "complex_multiply: [1,8,5,4] and [1,8,4,4] do not fit: as many channels, in pairs, and "
      "extents of the second that divide those of the first",
      ShapeError);
  CHECK_THROWS_AS((op::ComplexMultiply{}.shape({{1, 8, 5, 3}, {1, 8, 5, 3}})), ShapeError);
  CHECK_THROWS_AS((op::SpectralGain{}.shape({{1, 8, 5, 4}, {1, 8, 5, 4}})), ShapeError);
}

}  // namespace mend::test
