// The quality that a JPEG file tells.
#include "restore/jpeg_quality.h"

#include <doctest/doctest.h>

#include <array>

#include "restore/image_file.h"
#include "tests/restore/make_images.h"

using namespace mend;
using namespace mend::test;

TEST_CASE("jpeg_quality: is the setting that libjpeg was given") {
  for (const int channels : {1, 3}) {
    const Image image = smooth_image(24, 16, channels);
    // Settings from 1 to 100; the first few share steps of 255.
    for (int quality = 3; quality <= 100; ++quality) {
      const auto bytes = encode_image(image, ImageFormat::kJpeg, {.quality = quality});
      CAPTURE(quality);
      CHECK(decode_image(bytes, "test").jpeg_quality == quality);
    }
  }
}

TEST_CASE("jpeg_quality: a table between two settings gets the nearest, any table gets some") {
  std::array<std::uint16_t, 64> table{};
  CHECK(ijg_quality(table) == 100);
  table.fill(65535);
  CHECK(ijg_quality(table) == 1);
}

TEST_CASE("jpeg_quality: other formats have none") {
  const auto bytes = encode_image(smooth_image(8, 8, 3), ImageFormat::kPng);
  CHECK(decode_image(bytes, "test").jpeg_quality == 0);
}
