#include "restore/imresize.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/error.h"
#include "restore/image_file.h"
#include "tests/restore/make_images.h"
#include "tests/support/compare.h"
#include "tests/support/paths.h"

using namespace mend;
using namespace mend::test;

TEST_CASE("imresize: Set5 becomes MATLAB's low-resolution files, byte for byte") {
  for (const char* name : {"baby", "bird", "butterfly", "head", "woman"}) {
    for (const int scale : {2, 3, 4}) {
      const std::string hr = shared_path(fmt::format("images/Set5/HR/{}.png", name));
      const std::string lr =
          shared_path(fmt::format("images/Set5/LR_bicubic/X{0}/{1}x{0}.png", scale, name));
      if (!require_data(hr) || !require_data(lr)) return;
      CAPTURE(name);
      CAPTURE(scale);
      const Image whole = read_image(hr);
      Image cropped = make_image(whole.width / scale * scale, whole.height / scale * scale, 3, 8);
      for (int y = 0; y < cropped.height; ++y) {
        std::memcpy(cropped.row(y), whole.row(y), cropped.row_bytes());
      }
      const Image made = imresize(cropped, 1.0 / scale);
      const Image expected = read_image(lr);
      REQUIRE(made.width == expected.width);
      REQUIRE(made.height == expected.height);
      CHECK(made.bytes == expected.bytes);
    }
  }
}

TEST_CASE("imresize: a scale of 1 changes nothing and a flat picture stays flat") {
  for (const int bits : {8, 16}) {
    const Image image = pattern_image(9, 6, 4, bits);
    CHECK(imresize(image, 1.0).bytes == image.bytes);
    Image flat = make_image(5, 7, 1, bits);
    store_float(flat, 0, 0, Tensor::full({1, 7, 5, 1}, 0.7f));
    const Image large = imresize(flat, 13, 2);  // another scale in each direction
    CHECK(large.height == 13);
    CHECK(large.width == 2);
    Image expected = make_image(2, 13, 1, bits);
    store_float(expected, 0, 0, Tensor::full({1, 13, 2, 1}, 0.7f));
    CHECK(large.bytes == expected.bytes);
  }
}

TEST_CASE("imresize: floats follow the integers without their rounding") {
  const Image image = pattern_image(31, 22, 3, 8);
  for (const double scale : {0.4, 0.5, 1.7, 3.0}) {
    CAPTURE(scale);
    const Image integers = imresize(image, scale);
    Tensor floats = imresize(window_to_float(image, 0, 0, 22, 31), scale);
    REQUIRE(floats.shape() == Shape{1, integers.height, integers.width, 3});
    for (int y = 0; y < integers.height; ++y) {
      for (int x = 0; x < integers.width; ++x) {
        float* pixel = floats.view<float>().pixel(0, y, x);
        for (int c = 0; c < 3; ++c) pixel[c] = std::min(std::max(pixel[c], 0.0f), 1.0f);
      }
    }
    // Values beyond 0..255 are clipped between the directions too, which floats do not see.
    CHECK(max_error(floats, window_to_float(integers, 0, 0, integers.height, integers.width)) <=
          0.25);
  }
}

TEST_CASE("imresize: extents are those of MATLAB, and impossible ones are refused") {
  const Image image = pattern_image(10, 7, 1, 8);
  CHECK(imresize(image, 0.34).width == 4);   // ceil(3.4)
  CHECK(imresize(image, 0.34).height == 3);  // ceil(2.38)
  CHECK(imresize(image, 0.01).width == 1);
  CHECK(imresize(image, 2.05).width == 21);
  for (const double scale : {0.0, -1.0, 1e-300, 1e300, std::nan("")}) {
    CHECK_THROWS_AS(imresize(image, scale), UsageError);
  }
  CHECK_THROWS_AS(imresize(image, 0, 5), UsageError);
}
