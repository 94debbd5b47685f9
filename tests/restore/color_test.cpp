#include "restore/color.h"

#include <doctest/doctest.h>

#include <vector>

#include "engine/error.h"
#include "tests/support/compare.h"

using namespace mend;
using namespace mend::test;

namespace {

/// All corners of the cube and some points inside.
Tensor some_colours() {
  std::vector<float> values;
  for (int k = 0; k < 8; ++k) {
    for (int c = 0; c < 3; ++c) values.push_back(static_cast<float>(k >> c & 1));
  }
  for (int k = 0; k < 24; ++k) values.push_back(static_cast<float>(k * 37 % 101) / 100.0f);
  return Tensor::from({1, 4, 4, 3}, values);
}

}  // namespace

TEST_CASE("color: limited luma and chroma are those of MATLAB's rgb2ycbcr") {
  // black, red, green, white: 16, 128, 128; 81.481, 90.203, 240; 144.553, 53.797, 34.214; 235, 128, 128
  const Tensor rgb =
      Tensor::from({1, 1, 4, 3}, std::vector<float>{0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 1, 1});
  std::vector<float> expected = {16,       128,     128,     81.481f, 90.203f, 240,
                                 144.553f, 53.797f, 34.214f, 235,     128,     128};
  for (float& value : expected) value /= 255;
  CHECK(max_error(rgb_to_ycbcr(rgb), Tensor::from({1, 1, 4, 3}, expected)) <= 1e-5);
}

TEST_CASE("color: full luma and chroma are those of JPEG") {
  const Tensor rgb = Tensor::from({1, 1, 2, 3}, std::vector<float>{1, 0, 0, 1, 1, 1});
  std::vector<float> expected = {76.245f, 84.972f, 255.5f, 255, 128, 128};  // JFIF 1.02
  for (float& value : expected) value /= 255;
  CHECK(max_error(rgb_to_ycbcr(rgb, LumaRange::kFull), Tensor::from({1, 1, 2, 3}, expected)) <=
        1e-5);
}

TEST_CASE("color: the inverse gives the colours back, and luma is the first channel") {
  const Tensor rgb = some_colours();
  for (const LumaRange range : {LumaRange::kLimited, LumaRange::kFull}) {
    const Tensor ycbcr = rgb_to_ycbcr(rgb, range);
    CHECK(max_error(ycbcr_to_rgb(ycbcr, range), rgb) <= 1e-6);
    CHECK(max_error(luma(rgb, range), ycbcr.channels(0, 1)) <= 0);
  }
  const Tensor gray = Tensor::full({1, 2, 2, 1}, 0.25f);
  CHECK(max_error(luma(gray), gray) <= 0);
}

TEST_CASE("color: a replaced luma is there and the chroma is as before") {
  const Tensor rgb = some_colours();
  const Tensor y = Tensor::full({1, 4, 4, 1}, 0.4f);
  const Tensor ycbcr = rgb_to_ycbcr(replace_luma(rgb, y));
  CHECK(max_error(ycbcr.channels(0, 1), y) <= 1e-6);
  CHECK(max_error(ycbcr.channels(1, 2), rgb_to_ycbcr(rgb).channels(1, 2)) <= 1e-6);
  CHECK(max_error(replace_luma(rgb, luma(rgb)), rgb) <= 1e-6);
  CHECK_THROWS_AS(replace_luma(rgb, Tensor::full({1, 2, 4, 1}, 0.4f)), ShapeError);
  CHECK_THROWS_AS(luma(Tensor::full({1, 2, 2, 2}, 0.4f)), ShapeError);
}
