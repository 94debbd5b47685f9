#include "kernels/fft/fft.h"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/plan.h"
#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

constexpr const char* kFixtureSizes[] = {"1x6", "5x7", "6x8", "8x5"};

Golden fixture(const std::string& name, const char* size, FftNorm norm) {
  const std::string suffix = norm == FftNorm::kOrtho ? "_ortho" : "_backward";
  return load_golden(shared_path("goldens/ops/" + name + "__" + size + suffix + ".safetensors"));
}

/// Real and imaginary parts [N,H,W,C] -> pairs of channels [N,H,W,2C].
Tensor pairs(const Tensor& re, const Tensor& im) {
  const Shape s = re.shape();
  const Tensor both = Tensor::empty({s.n, s.h, s.w, 2 * s.c});
  const View<float> to = both.view<float>();
  for (int n = 0; n < s.n; ++n)
    for (int h = 0; h < s.h; ++h)
      for (int w = 0; w < s.w; ++w)
        for (int c = 0; c < s.c; ++c) {
          to(n, h, w, 2 * c) = re.view<const float>()(n, h, w, c);
          to(n, h, w, 2 * c + 1) = im.view<const float>()(n, h, w, c);
        }
  return both;
}

template <class Op>
auto call_kernel(const Op& op) {
  return [op](const FftKernel<Op>& kernel, Inputs inputs, const Tensor& y, Scratch scratch) {
    kernel.run(op, inputs[0].view<const float>(), y.view<float>(), scratch);
  };
}

void check_forward(const op::RealFft2& op, const Shape& x) {
  check_rungs(real_fft2_ladder(), op, {random_tensor(x, 1)}, call_kernel(op));
}

/// The inverse to an image of this shape, of any numbers: not a spectrum of a real image.
void check_inverse(FftNorm norm, const Shape& y, int patch) {
  const op::InverseRealFft2 op{norm, y.w, patch};
  const Shape x = op::RealFft2{norm, patch}.shape({y});
  check_rungs(inverse_real_fft2_ladder(), op, {random_tensor(x, 2)}, call_kernel(op));
}

}  // namespace

TEST_CASE("real_fft2: equals the official implementation") {
  if (!require_data(shared_path("goldens/ops"))) return;
  for (const FftNorm norm : {FftNorm::kBackward, FftNorm::kOrtho})
    for (const char* size : kFixtureSizes) {
      CAPTURE(size);
      const Golden golden = fixture("rfft2", size, norm);
      const Tensor y = apply(op::RealFft2{norm}, {golden.at("input")});
      CHECK(max_error(y, pairs(golden.at("output"), golden.at("imag"))) <= 2e-6);
    }
}

TEST_CASE("inverse_real_fft2: equals the official implementation on any spectrum") {
  if (!require_data(shared_path("goldens/ops"))) return;
  for (const FftNorm norm : {FftNorm::kBackward, FftNorm::kOrtho})
    for (const char* size : kFixtureSizes) {
      CAPTURE(size);
      const Golden golden = fixture("irfft2", size, norm);
      const Tensor x = pairs(golden.at("input"), golden.at("imag"));
      const int width = golden.at("output").shape().w;
      CHECK(max_error(apply(op::InverseRealFft2{norm, width}, {x}), golden.at("output")) <= 2e-6);
    }
}

TEST_CASE("fft: every rung matches the reference on images of any size") {
  // Powers, every coded radix, primes that run directly (37) and by Bluestein (211, 2·97), one row
  // or column, and lanes that fill bundles, parts of one, and more than one across pixels.
  const Shape kAwkward[] = {
      {1, 1, 1, 1},   {1, 1, 2, 3},   {2, 2, 1, 5},   {1, 1, 37, 3},   {1, 211, 1, 2},
      {1, 13, 7, 64}, {2, 5, 7, 3},   {1, 7, 13, 1},  {1, 37, 13, 16}, {1, 3, 211, 20},
      {1, 4, 194, 3}, {1, 16, 32, 7}, {3, 9, 30, 17}, {1, 49, 22, 3},  {1, 61, 8, 2},
  };
  for (const Shape& shape : kAwkward) {
    check_forward({FftNorm::kBackward}, shape);
    check_forward({FftNorm::kOrtho}, shape);
    check_inverse(FftNorm::kBackward, shape, 0);
    check_inverse(FftNorm::kOrtho, shape, 0);
  }
}

TEST_CASE("fft: every rung matches the reference on a feature map") {
  check_forward({FftNorm::kOrtho}, {1, 96, 128, 20});
  check_inverse(FftNorm::kOrtho, {1, 96, 128, 20}, 0);
}

TEST_CASE("fft: every rung matches the reference on patches") {
  for (const Shape& shape : {Shape{1, 8, 8, 1}, Shape{2, 16, 24, 3}, Shape{1, 8, 40, 64}}) {
    check_forward({FftNorm::kBackward, 8}, shape);
    check_inverse(FftNorm::kBackward, shape, 8);
  }
  check_forward({FftNorm::kOrtho, 5}, {1, 10, 15, 7});
  check_inverse(FftNorm::kOrtho, {1, 10, 15, 7}, 5);
  check_forward({FftNorm::kOrtho, 1}, {1, 2, 3, 4});
  check_inverse(FftNorm::kOrtho, {1, 2, 3, 4}, 1);
}

TEST_CASE("fft: the inverse of the spectrum is the image") {
  for (const Shape& shape : {Shape{1, 96, 128, 8}, Shape{1, 211, 97, 3}, Shape{1, 24, 16, 20}}) {
    CAPTURE(to_string(shape));
    const Tensor x = random_tensor(shape, 3);
    for (const FftNorm norm : {FftNorm::kBackward, FftNorm::kOrtho})
      for (const int patch : {0, 8}) {
        if (patch > 0 && (shape.h % patch != 0 || shape.w % patch != 0)) continue;
        const Tensor y = apply(op::RealFft2{norm, patch}, {x});
        CHECK(relative_error(apply(op::InverseRealFft2{norm, shape.w, patch}, {y}), x) <= 2e-6);
      }
  }
}

TEST_CASE("fft: a patch is transformed by itself, in its place") {
  const Tensor x = random_tensor({1, 16, 24, 3}, 4);
  const Tensor y = apply(op::RealFft2{FftNorm::kBackward, 8}, {x});
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j) {
      const Tensor alone = apply(op::RealFft2{}, {x.crop(8 * i, 8 * j, 8, 8).clone()});
      CHECK(relative_error(y.crop(8 * i, 5 * j, 8, 5), alone) <= 2e-6);
    }
}

TEST_CASE("fft: a plan gives the numbers of the eager run") {
  const Tensor x = random_tensor({2, 12, 10, 6}, 5);
  const Network there_and_back = [](const std::vector<Tensor>& inputs) {
    const Tensor spectrum = apply(op::RealFft2{FftNorm::kOrtho}, {inputs[0]});
    return std::vector<Tensor>{apply(op::InverseRealFft2{FftNorm::kOrtho, 10}, {spectrum})};
  };
  Plan plan(there_and_back, {x.shape()});
  plan.poison();
  CHECK(identical(plan({x})[0], there_and_back({x})[0]));
  CHECK(plan.footprint().global);
}

TEST_CASE("fft: patches see themselves and images see everything") {
  const Shapes in{{1, 16, 16, 4}};
  CHECK(op::RealFft2{}.footprint(in).global);
  CHECK(op::RealFft2{FftNorm::kOrtho, 8}.footprint(in) == Footprint{7, 1, 8, false});
  CHECK(op::InverseRealFft2{FftNorm::kOrtho, 16}.footprint({{1, 16, 9, 8}}).global);
}

TEST_CASE("fft: sizes that do not fit are refused with both sides") {
  CHECK_THROWS_WITH_AS((op::RealFft2{FftNorm::kOrtho, 8}.shape({{1, 16, 20, 4}})),
                       "real_fft2: x is [1,16,20,4], but height and width must be multiples of the "
                       "patch 8",
                       ShapeError);
  CHECK_THROWS_WITH_AS((op::InverseRealFft2{FftNorm::kOrtho, 12}.shape({{1, 16, 9, 4}})),
                       "inverse_real_fft2: an image of width 12 has a spectrum of 7 columns, but x "
                       "is [1,16,9,4]",
                       ShapeError);
  CHECK_THROWS_AS((op::InverseRealFft2{FftNorm::kOrtho, 16}.shape({{1, 16, 9, 3}})), ShapeError);
  CHECK_THROWS_AS((op::InverseRealFft2{FftNorm::kOrtho, 16, 8}.shape({{1, 12, 10, 4}})),
                  ShapeError);
  CHECK_THROWS_AS((op::InverseRealFft2{FftNorm::kOrtho, 0}.shape({{1, 16, 1, 4}})), ShapeError);
}

}  // namespace mend::test
