// CIE L*a*b* against scikit-image 0.25 (skimage.color.rgb2lab, lab2rgb).
#include "restore/lab.h"

#include <doctest/doctest.h>

#include "engine/error.h"
#include "tests/support/compare.h"

using namespace mend;
using namespace mend::test;

TEST_CASE("lab: equals scikit-image's rgb2lab") {
  const float rgb[] = {1, 0, 0, 0,     1,     0,     0,    0,     1,     1,    1,    1,
                       0, 0, 0, 0.02f, 0.01f, 0.03f, 0.5f, 0.25f, 0.75f, 0.2f, 0.9f, 0.4f};
  const float lab[] = {53.2405879f,  80.0923082f, 67.2027510f,  87.7350995f,  -86.1830297f,
                       83.1797032f,  32.2956726f, 79.1855909f,  -107.857300f, 100.0f,
                       -0.00245493f, 0.00465342f, 0.0f,         0.0f,         0.0f,
                       0.948742549f, 1.37590233f, -1.69492272f, 41.1548244f,  51.4089663f,
                       -56.4452797f, 80.7251769f, -69.3773001f, 49.2751809f};
  CHECK(max_error(rgb_to_lab(Tensor::from({1, 2, 4, 3}, rgb)), Tensor::from({1, 2, 4, 3}, lab)) <=
        1e-4);
}

TEST_CASE("lab: equals scikit-image's lab2rgb, clipped where sRGB ends") {
  const float lab[] = {50, 20, -30, 80, -60, 70, 5, 3, 2, 95, 0, 0, 60, 110, 110};
  const float rgb[] = {0.49636144f, 0.42925764f, 0.6668389f,  0.43758086f, 0.87659576f,
                       0.18453921f, 0.0904604f,  0.05872773f, 0.05178138f, 0.94347007f,
                       0.94346262f, 0.94350071f, 1,           0,           0};
  CHECK(max_error(lab_to_rgb(Tensor::from({1, 1, 5, 3}, lab)), Tensor::from({1, 1, 5, 3}, rgb)) <=
        1e-6);
}

TEST_CASE("lab: there and back is the same picture") {
  Tensor rgb = Tensor::empty({2, 5, 7, 3});
  const View<float> view = rgb.view<float>();
  for (std::int64_t i = 0; i < rgb.shape().elements(); ++i) {
    view.data[i] = static_cast<float>(i * 37 % 101) / 100;
  }
  CHECK(max_error(lab_to_rgb(rgb_to_lab(rgb)), rgb) <= 2e-6);
}

TEST_CASE("lab: the lightness of gray is that of equal channels") {
  const float gray[] = {0, 0.25f, 0.5f, 1};
  const float rgb[] = {0, 0, 0, 0.25f, 0.25f, 0.25f, 0.5f, 0.5f, 0.5f, 1, 1, 1};
  const Tensor lab = rgb_to_lab(Tensor::from({1, 1, 4, 3}, rgb));
  CHECK(max_error(lightness(Tensor::from({1, 1, 4, 1}, gray)), lab.channels(0, 1).clone()) <= 0);
}

TEST_CASE("lab: wants three channels") {
  CHECK_THROWS_AS(rgb_to_lab(Tensor::zeros({1, 2, 2, 1})), ShapeError);
  CHECK_THROWS_AS(lab_to_rgb(Tensor::zeros({1, 2, 2, 4})), ShapeError);
}
