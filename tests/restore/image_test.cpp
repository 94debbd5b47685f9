#include "restore/image.h"

#include <doctest/doctest.h>

#include <limits>

#include "engine/error.h"
#include "tests/restore/make_images.h"

using namespace mend;
using namespace mend::test;

TEST_CASE("image: floats of a window and back give the same integers") {
  for (const int bits : {8, 16}) {
    for (int channels = 1; channels <= 4; ++channels) {
      CAPTURE(bits);
      CAPTURE(channels);
      const Image image = pattern_image(19, 13, channels, bits);
      Image copy = make_image(19, 13, channels, bits);
      for (const int y : {0, 6}) {  // two windows, the second 7 rows high
        const int h = y == 0 ? 6 : 7;
        store_float(copy, y, 0, window_to_float(image, y, 0, h, 19));
        if (image.has_alpha()) store_alpha_float(copy, y, 0, alpha_to_float(image, y, 0, h, 19));
      }
      CHECK(copy.bytes == image.bytes);
    }
  }
}

TEST_CASE("image: a window has the pixels of its place") {
  const Image image = pattern_image(9, 7, 4, 8);
  const Tensor window = window_to_float(image, 2, 3, 4, 5);
  const Tensor alpha = alpha_to_float(image, 2, 3, 4, 5);
  REQUIRE(window.shape() == Shape{1, 4, 5, 3});
  REQUIRE(alpha.shape() == Shape{1, 4, 5, 1});
  CHECK(window.view<float>()(0, 1, 2, 2) == image.row(3)[5 * 4 + 2] / 255.0f);
  CHECK(alpha.view<float>()(0, 1, 2, 0) == image.row(3)[5 * 4 + 3] / 255.0f);
}

TEST_CASE("image: floats are clipped and rounded, halves to even") {
  const std::vector<float> values = {-1.0f,        0.0f,         0.5f / 255,  1.5f / 255,
                                     2.5f / 255,   0.49f / 255,  0.51f / 255, 1.0f,
                                     254.4f / 255, 254.6f / 255, 2.0f,        0.25f};
  const std::vector<int> expected = {0, 0, 0, 2, 2, 0, 1, 255, 254, 255, 255, 64};
  Image image = make_image(static_cast<int>(values.size()), 1, 1, 8);
  store_float(image, 0, 0, Tensor::from({1, 1, image.width, 1}, values));
  for (int x = 0; x < image.width; ++x) CHECK(int{image.row(0)[x]} == expected[x]);
}

TEST_CASE("image: a result that is not finite is an error, never a black pixel") {
  Image image = make_image(4, 4, 1, 8);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Tensor tensor = Tensor::full({1, 4, 4, 1}, 0.5f);
    tensor.view<float>()(0, 2, 3, 0) = bad;
    CHECK_THROWS_AS(store_float(image, 0, 0, tensor), NumericError);
  }
  CHECK_THROWS_AS(store_float(image, 0, 0, Tensor::full({1, 4, 4, 3}, 0.5f)), ShapeError);
}

TEST_CASE("image: 8 bits become 16 and return unchanged; 16 round to the nearest 8") {
  const Image narrow = pattern_image(16, 16, 3, 8);
  CHECK(with_bits(with_bits(narrow, 16), 8).bytes == narrow.bytes);
  Image wide = make_image(256, 256, 1, 16);
  for (int v = 0; v < 65536; ++v) {
    const auto value = static_cast<std::uint16_t>(v);
    std::memcpy(wide.bytes.data() + 2 * v, &value, 2);
  }
  const Image rounded = with_bits(wide, 8);
  bool all_nearest = true;
  for (int v = 0; v < 65536; ++v) {
    all_nearest = all_nearest && rounded.bytes[v] == static_cast<int>(v / 257.0 + 0.5);
  }
  CHECK(all_nearest);
}

TEST_CASE("image: alpha that hides nothing is opaque and can be left out") {
  for (const int bits : {8, 16}) {
    Image image = pattern_image(5, 4, 4, bits);
    store_alpha_float(image, 0, 0, Tensor::full({1, 4, 5, 1}, 1.0f));
    CHECK(is_opaque(image));
    const Image rgb = without_alpha(image);
    CHECK(rgb.channels == 3);
    const Tensor before = window_to_float(image, 0, 0, 4, 5),
                 after = window_to_float(rgb, 0, 0, 4, 5);
    CHECK(std::memcmp(before.view<float>().data, after.view<float>().data, 4 * 5 * 3 * 4) == 0);
    store_alpha_float(image, 3, 4, Tensor::full({1, 1, 1, 1}, 0.99f));
    CHECK_FALSE(is_opaque(image));
  }
}

TEST_CASE("image: a canvas keeps the profile only while the number of colours stays") {
  Image image = pattern_image(4, 4, 3, 8);
  image.icc = icc_profile("RGB ");
  image.exif = exif_block(1, true);
  CHECK(make_image_like(image, 8, 8, 4, 16).icc == image.icc);
  CHECK(make_image_like(image, 8, 8, 1, 8).icc.empty());
  CHECK(make_image_like(image, 8, 8, 1, 8).exif == image.exif);
}
