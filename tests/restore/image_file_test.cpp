#include "restore/image_file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "engine/error.h"
#include "tests/restore/make_images.h"
#include "tests/support/paths.h"

using namespace mend;
using namespace mend::test;

namespace {

Image decode(const std::string& file, const ReadOptions& options = {}) {
  return decode_image(to_bytes(file), "test", options);
}

int largest_difference(const Image& a, const Image& b) {
  int largest = 0;
  for (std::size_t k = 0; k < a.bytes.size(); ++k) {
    largest = std::max(largest, std::abs(a.bytes[k] - b.bytes[k]));
  }
  return largest;
}

/// Upright pixel (y,x) as the stored picture of this orientation has it: EXIF 2.32, 4.6.4 A, in the
/// words of the standard, "the 0th row is the visual ..., the 0th column the visual ...".
Image stored_as(const Image& upright, int orientation) {
  const int h = upright.height, w = upright.width;
  const bool sideways = orientation >= 5;
  Image stored = make_image(sideways ? h : w, sideways ? w : h, upright.channels, upright.bits);
  const std::size_t pixel = upright.row_bytes() / w;
  for (int row = 0; row < stored.height; ++row) {
    for (int column = 0; column < stored.width; ++column) {
      int y = 0, x = 0;
      switch (orientation) {
        case 1:
          y = row, x = column;
          break;  // top, left
        case 2:
          y = row, x = w - 1 - column;
          break;  // top, right
        case 3:
          y = h - 1 - row, x = w - 1 - column;
          break;  // bottom, right
        case 4:
          y = h - 1 - row, x = column;
          break;  // bottom, left
        case 5:
          x = row, y = column;
          break;  // left, top
        case 6:
          x = w - 1 - row, y = column;
          break;  // right, top
        case 7:
          x = w - 1 - row, y = h - 1 - column;
          break;  // right, bottom
        case 8:
          x = row, y = h - 1 - column;
          break;  // left, bottom
      }
      std::memcpy(stored.row(row) + column * pixel, upright.row(y) + x * pixel, pixel);
    }
  }
  return stored;
}

}  // namespace

TEST_CASE("image file: lossless formats return every pixel of every depth") {
  struct Row {
    const char* name;
    std::vector<int> channels;
    int most_bits;
  };
  const Row rows[] = {{"a.png", {1, 2, 3, 4}, 16},
                      {"a.pam", {1, 2, 3, 4}, 16},
                      {"a.ppm", {3}, 16},
                      {"a.pgm", {1}, 16},
                      {"a.BMP", {3}, 8}};
  const TemporaryFolder folder;
  for (const Row& row : rows) {
    for (const int channels : row.channels) {
      for (const int bits : {8, 16}) {
        if (bits > row.most_bits) continue;
        for (const int width : {1, 2, 37}) {
          CAPTURE(row.name);
          CAPTURE(channels);
          CAPTURE(bits);
          CAPTURE(width);
          const Image image = pattern_image(width, 11, channels, bits);
          const std::string path = folder / row.name;
          write_image(path, image);
          const ImageInfo info = probe_image(path);
          CHECK(info.width == width);
          CHECK(info.height == 11);
          CHECK(info.channels == channels);
          CHECK(info.bits == bits);
          const Image back = read_image(path);
          CHECK(back.channels == channels);
          CHECK(back.bits == bits);
          CHECK(back.format == info.format);
          CHECK(back.bytes == image.bytes);
        }
      }
    }
  }
}

TEST_CASE(
    "image file: JPEG keeps smooth pictures to a few grey levels, its size falls with quality") {
  for (const int channels : {1, 3}) {
    CAPTURE(channels);
    const Image image = smooth_image(61, 45, channels);
    const std::vector<std::uint8_t> fine = encode_image(image, ImageFormat::kJpeg);
    CHECK(encode_image(image, ImageFormat::kJpeg, {.quality = 10}).size() < fine.size());
    const Image back = decode_image(fine, "a.jpg");
    CHECK(back.channels == channels);
    CHECK(back.format == ImageFormat::kJpeg);
    CHECK(largest_difference(back, image) <= 4);
  }
}

TEST_CASE("image file: gray becomes equal channels in BMP, and bits change only when asked") {
  const Image gray = pattern_image(7, 5, 1, 8);
  const Image bmp = decode_image(encode_image(gray, ImageFormat::kBmp), "a.bmp");
  REQUIRE(bmp.channels == 3);
  for (int c = 0; c < 3; ++c) CHECK(bmp.row(4)[6 * 3 + c] == gray.row(4)[6]);

  const Image wide = pattern_image(7, 5, 3, 16);
  CHECK(decode_image(encode_image(wide, ImageFormat::kPng, {.bits = 8}), "a").bytes ==
        with_bits(wide, 8).bytes);
  CHECK(decode_image(encode_image(gray, ImageFormat::kPng, {.bits = 16}), "a").bytes ==
        with_bits(gray, 16).bytes);
  CHECK(decode_image(encode_image(wide, ImageFormat::kBmp), "a").bytes == with_bits(wide, 8).bytes);
  CHECK_THROWS_AS(encode_image(wide, ImageFormat::kJpeg, {.bits = 16}), UsageError);
  CHECK_THROWS_AS(encode_image(wide, ImageFormat::kPng, {.bits = 12}), UsageError);
  CHECK_THROWS_AS(encode_image(wide, ImageFormat::kPng, {.compression = 10}), UsageError);
  CHECK_THROWS_AS(encode_image(gray, ImageFormat::kJpeg, {.quality = 0}), UsageError);
}

TEST_CASE("image file: transparency is never flattened in silence") {
  Image image = pattern_image(6, 6, 4, 8);
  for (const ImageFormat format : {ImageFormat::kJpeg, ImageFormat::kBmp, ImageFormat::kPnm}) {
    CHECK_THROWS_WITH_AS(encode_image(image, format), doctest::Contains("use .png"), UsageError);
  }
  store_alpha_float(image, 0, 0, Tensor::full({1, 6, 6, 1}, 1.0f));
  CHECK(decode_image(encode_image(image, ImageFormat::kBmp), "a").bytes ==
        without_alpha(image).bytes);
}

TEST_CASE("image file: every orientation is applied to the pixels and taken out of the EXIF") {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    for (const bool little_endian : {false, true}) {
      CAPTURE(orientation);
      CAPTURE(little_endian);
      const Image upright = pattern_image(70, 5, 4, 16);  // wider than one block of a transposition
      Image stored = stored_as(upright, orientation);
      stored.exif = exif_block(orientation, little_endian);
      const TemporaryFolder folder;
      write_image(folder / "a.png", stored);
      const ImageInfo info = probe_image(folder / "a.png");
      CHECK(info.width == 70);
      CHECK(info.height == 5);
      const Image read = read_image(folder / "a.png");
      CHECK(read.width == 70);
      CHECK(read.bytes == upright.bytes);
      // Orientation 1, and no second directory: its offset lies right after the two entries.
      std::vector<std::uint8_t> expected = exif_block(1, little_endian);
      std::fill_n(expected.begin() + 8 + 2 + 2 * 12, 4, std::uint8_t{0});
      CHECK(read.exif == expected);

      Image photo = stored_as(smooth_image(40, 24, 3), orientation);
      photo.exif = exif_block(orientation, little_endian);
      const Image turned = decode_image(encode_image(photo, ImageFormat::kJpeg), "a.jpg");
      REQUIRE(turned.width == 40);
      CHECK(largest_difference(turned, smooth_image(40, 24, 3)) <= 4);
      CHECK(turned.exif == expected);
    }
  }
}

TEST_CASE("image file: ICC profile and EXIF travel from JPEG to PNG and back") {
  Image image = smooth_image(16, 16, 3);
  image.icc = icc_profile("RGB ");
  image.exif = exif_block(1, false);
  const Image jpeg = decode_image(encode_image(image, ImageFormat::kJpeg), "a.jpg");
  CHECK(jpeg.icc == image.icc);
  const Image png = decode_image(encode_image(jpeg, ImageFormat::kPng), "a.png");
  CHECK(png.icc == image.icc);
  CHECK(png.exif == jpeg.exif);
  const Image again = decode_image(encode_image(png, ImageFormat::kJpeg), "a.jpg");
  CHECK(again.icc == image.icc);
  CHECK(again.exif == jpeg.exif);
}

TEST_CASE("image file: EXIF that is too long for JPEG is left out with a note") {
  Image image = smooth_image(16, 16, 3);
  image.exif = exif_block(1, false);
  image.exif.resize(70'000);
  std::string noted;
  WriteOptions options;
  options.note = [&](const std::string& what) { noted = what; };
  CHECK(decode_image(encode_image(image, ImageFormat::kJpeg, options), "a.jpg").exif.empty());
  CHECK(noted.find("EXIF") != std::string::npos);
}

TEST_CASE(
    "png: bits below 8, palettes, transparent colours and Adam7 are widened and put in order") {
  SUBCASE("1 bit") {
    const Image image = decode(make_png({.width = 10, .depth = 1, .scanlines = {"\0\xA5\x40", 3}}));
    CHECK(image.channels == 1);
    CHECK(image.bytes == std::vector<std::uint8_t>{255, 0, 255, 0, 0, 255, 0, 255, 0, 255});
  }
  SUBCASE("2 and 4 bits") {
    CHECK(decode(make_png({.width = 4, .depth = 2, .scanlines = {"\0\x1B", 2}})).bytes ==
          std::vector<std::uint8_t>{0, 85, 170, 255});
    CHECK(decode(make_png({.width = 2, .depth = 4, .scanlines = {"\0\x3F", 2}})).bytes ==
          std::vector<std::uint8_t>{51, 255});
  }
  SUBCASE("palette, with and without transparency") {
    const std::string palette = png_chunk("PLTE", "abcdef");
    const Image opaque = decode(
        make_png({.width = 2, .colour_type = 3, .chunks = palette, .scanlines = {"\0\1\0", 3}}));
    CHECK(opaque.channels == 3);
    CHECK(to_string(opaque.bytes) == "defabc");
    const Image transparent = decode(make_png({.width = 2,
                                               .colour_type = 3,
                                               .chunks = palette + png_chunk("tRNS", "\x07"),
                                               .scanlines = {"\0\1\0", 3}}));
    CHECK(transparent.channels == 4);
    CHECK(to_string(transparent.bytes) ==
          "def\xFF"
          "abc\x07");
  }
  SUBCASE("a transparent gray") {
    const Image image = decode(make_png(
        {.width = 2, .chunks = png_chunk("tRNS", {"\0\x09", 2}), .scanlines = {"\0\x09\x08", 3}}));
    CHECK(image.channels == 2);
    CHECK(image.bytes == std::vector<std::uint8_t>{9, 0, 8, 255});
  }
  SUBCASE("16 bits are big-endian in the file") {
    const Image image = decode(make_png({.depth = 16, .scanlines = {"\0\x12\x34", 3}}));
    CHECK(image.bits == 16);
    std::uint16_t value = 0;
    std::memcpy(&value, image.bytes.data(), 2);
    CHECK(value == 0x1234);
  }
  SUBCASE("interlaced") {
    for (const int width : {1, 3, 9, 20}) {
      const Image image = pattern_image(width, 13, 3, 8);
      const Image back = decode(make_png({.width = static_cast<std::uint32_t>(width),
                                          .height = 13,
                                          .colour_type = 2,
                                          .interlaced = true,
                                          .scanlines = png_scanlines(image, true)}));
      CHECK(back.bytes == image.bytes);
    }
  }
  SUBCASE("gamma is ignored") {
    const std::string gamma = png_chunk("gAMA", big_endian_bytes(100000, 4));
    CHECK(decode(make_png({.chunks = gamma, .scanlines = {"\0\x55", 2}})).bytes[0] == 0x55);
  }
}

TEST_CASE("png: of an animation the first picture is read, with a note") {
  std::string noted;
  ReadOptions options;
  options.note = [&](const std::string& what) { noted = what; };
  const std::string animation = png_chunk("acTL", std::string("\0\0\0\2\0\0\0\0", 8));
  CHECK(decode(make_png({.chunks = animation, .scanlines = {"\0\x55", 2}}), options).bytes[0] ==
        0x55);
  CHECK(noted == "test: PNG is animated; its first picture alone is used");
}

TEST_CASE("pnm: plain, raw and bitmap files with comments and odd maxima are read") {
  CHECK(decode("P1 # a comment\n3 2\n101\n0 1 0\n").bytes ==
        std::vector<std::uint8_t>{0, 255, 0, 255, 0, 255});
  CHECK(decode("P2\n2 1\n#x\n100\n50 100\n").bytes == std::vector<std::uint8_t>{128, 255});
  CHECK(decode("P3 1 1 255 1 2 3 ").bytes == std::vector<std::uint8_t>{1, 2, 3});
  CHECK(decode(std::string("P4\n9 1\n\xA0\x80", 9)).bytes ==
        std::vector<std::uint8_t>{0, 255, 0, 255, 255, 255, 255, 255, 0});
  CHECK(decode(std::string("P5 1 1 3 \x02", 10)).bytes[0] == 170);
  CHECK(decode(std::string("P7\nWIDTH 1\nHEIGHT 1\nDEPTH 2\nMAXVAL 255\nTUPLTYPE GRAYSCALE_ALPHA\n"
                           "ENDHDR\n\x11\x22"))
            .bytes == std::vector<std::uint8_t>{0x11, 0x22});
}

TEST_CASE("image file: the content decides, not the name") {
  const TemporaryFolder folder;
  const Image image = pattern_image(8, 8, 3, 8);
  write_file(folder / "photo.png", to_string(encode_image(image, ImageFormat::kBmp)));
  CHECK(read_image(folder / "photo.png").format == ImageFormat::kBmp);
  CHECK(read_image(folder / "photo.png").bytes == image.bytes);
  CHECK(format_of_path("a/b.c/photo.JPeG") == ImageFormat::kJpeg);
  for (const char* path : {"photo", "photo.", "photo.gif", ".png/photo", "photo.pn"}) {
    CHECK_THROWS_AS(format_of_path(path), UsageError);
  }
}

TEST_CASE("image file: \"-\" is standard input") {
  const TemporaryFolder folder;
  const Image image = pattern_image(50, 40, 3, 8);
  write_image(folder / "a.png", image);
  const int saved = dup(STDIN_FILENO);
  const int file = open((folder / "a.png").c_str(), O_RDONLY);
  dup2(file, STDIN_FILENO);
  CHECK(read_image("-").bytes == image.bytes);
  CHECK_THROWS_WITH_AS(read_image("-"), "standard input: the file is empty", InputError);
  dup2(saved, STDIN_FILENO);
  close(saved);
  close(file);
}
