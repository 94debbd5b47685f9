// Hostile and broken image files: each ends in an InputError of one line that begins with its name.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "engine/error.h"
#include "restore/image_file.h"
#include "tests/restore/make_images.h"
#include "tests/support/paths.h"

using namespace mend;
using namespace mend::test;

namespace {

std::string valid(ImageFormat format, int bits = 8) {
  Image image = pattern_image(13, 9, 3, bits);
  return to_string(encode_image(image, format));
}

/// The message with which this file is refused; "" if it was read.
std::string refusal(const std::string& file, const ReadOptions& options = {}) {
  try {
    decode_image(to_bytes(file), "photo.png", options);
    return "";
  } catch (const InputError& error) {
    return error.what();
  }
}

bool is_one_line_about(const std::string& message, const std::string& name) {
  return message.starts_with(name + ": ") && message.find('\n') == std::string::npos &&
         message.size() > name.size() + 10;
}

std::string with_byte(std::string file, std::size_t at, int value) {
  file[at] = static_cast<char>(value);
  return file;
}

std::string png_of_extents(std::uint32_t width, std::uint32_t height) {
  return make_png({.width = width, .height = height, .scanlines = {"\0\0", 2}});
}

/// The place of a JPEG marker's two bytes.
std::size_t jpeg_marker(const std::string& file, int code) {
  return file.find(std::string("\xFF") + static_cast<char>(code));
}

std::string jpeg_of_extents(int width, int height) {
  std::string file = valid(ImageFormat::kJpeg);
  const std::size_t frame = jpeg_marker(file, 0xC0);
  file.replace(frame + 5, 4, big_endian_bytes(height, 2) + big_endian_bytes(width, 2));
  return file;
}

std::string bmp_of_extents(std::uint32_t width, std::uint32_t height) {
  std::string file = valid(ImageFormat::kBmp);
  for (int k = 0; k < 4; ++k) {
    file[18 + k] = static_cast<char>(width >> (8 * k));
    file[22 + k] = static_cast<char>(height >> (8 * k));
  }
  return file;
}

}  // namespace

TEST_CASE("image file: every malformed file is refused in one line that says why") {
  const std::string png = valid(ImageFormat::kPng), jpeg = valid(ImageFormat::kJpeg);
  const std::string bmp = valid(ImageFormat::kBmp), ppm = valid(ImageFormat::kPnm);
  struct Row {
    std::string what;
    std::string file;
    const char* message;  ///< a part of it
  };
  const Row rows[] = {
      {"empty", "", "empty"},
      {"one byte", "\x89", "not an image"},
      {"text", "hello, I am a picture\n", "not an image"},
      {"zeros", std::string(100, '\0'), "not an image"},
      {"gif", "GIF89a\1\0\1\0", "GIF is not supported"},
      {"webp", "RIFF\4\0\0\0WEBPVP8 ", "not an image"},
      {"tiff", {"II*\0\x08\0\0\0", 8}, "TIFF is not supported"},
      {"heic",
       std::string("\0\0\0\x18"
                   "ftypheic",
                   12),
       "HEIC is not supported"},
      {"png: signature alone", kPngSignature, "truncated at byte 8"},
      {"png: half", png.substr(0, png.size() / 2), "inside IDAT"},
      {"png: no end", png.substr(0, png.size() - 12), "truncated"},
      {"png: 0 wide", png_of_extents(0, 5), "damaged"},
      {"png: 100k x 100k", png_of_extents(100'000, 100'000), "above the limit of 400.0 megapixels"},
      {"png: 2^31 - 1 squared", png_of_extents(0x7FFFFFFF, 0x7FFFFFFF), "above the limit"},
      {"png: sides that wrap around", png_of_extents(0xFFFFFFFF, 2), "damaged"},
      {"png: more pixels than its bytes can hold", png_of_extents(19'000, 19'000), "truncated"},
      {"png: too few pixels", make_png({.width = 5, .height = 5, .scanlines = {"\0\0", 2}}),
       "damaged"},
      {"png: wrong checksum", with_byte(png, png.size() - 20, 0x5A), "damaged"},
      {"png: wrong checksum in IHDR", with_byte(png, 30, 0), "damaged"},
      {"png: unknown filter", make_png({.scanlines = {"\x09\0", 2}}), "damaged"},
      {"png: depth 3", make_png({.depth = 3, .scanlines = {"\0\0", 2}}), "damaged"},
      {"png: colour type 5", make_png({.colour_type = 5, .scanlines = {"\0\0", 2}}), "damaged"},
      {"png: palette is missing", make_png({.colour_type = 3, .scanlines = {"\0\0", 2}}),
       "damaged"},
      {"png: no pixels at all",
       kPngSignature + png_chunk("IHDR", std::string("\0\0\0\1\0\0\0\1\x08\0\0\0\0", 13)) +
           png_chunk("IEND", ""),
       "damaged"},
      {"png: a chunk of 2 GB",
       kPngSignature + png_chunk("IHDR", std::string("\0\0\0\1\0\0\0\1\x08\0\0\0\0", 13)) + "\x7E" +
           png_chunk("eXIf", "II*").substr(1),
       "inside eXIf, which lacks"},
      {"jpeg: start alone", "\xFF\xD8\xFF", "truncated at byte 3"},
      {"jpeg: half", jpeg.substr(0, jpeg.size() / 2), "truncated"},
      {"jpeg: no end", jpeg.substr(0, jpeg.size() - 2), "truncated"},
      {"jpeg: end in the middle", jpeg.substr(0, jpeg.size() - 60) + "\xFF\xD9", "damaged"},
      {"jpeg: 0 wide", jpeg_of_extents(0, 9), "damaged"},
      {"jpeg: 0 high", jpeg_of_extents(13, 0), "damaged"},
      {"jpeg: 65000 x 65000", jpeg_of_extents(65000, 65000), "above the limit"},
      {"jpeg: larger than its data", jpeg_of_extents(200, 200), "damaged"},
      {"jpeg: cmyk", cmyk_jpeg(), "CMYK"},
      {"jpeg: no quantisation table", with_byte(jpeg, jpeg_marker(jpeg, 0xDB) + 1, 0xFE),
       "damaged"},
      {"jpeg: 12 bits", with_byte(jpeg, jpeg_marker(jpeg, 0xC0) + 4, 12), "damaged"},
      {"bmp: header alone", bmp.substr(0, 20), "BMP"},
      {"bmp: half", bmp.substr(0, bmp.size() / 2), "truncated"},
      {"bmp: one byte short", bmp.substr(0, bmp.size() - 1), "truncated"},
      {"bmp: 0 wide", bmp_of_extents(0, 9), "BMP"},
      {"bmp: 0 high", bmp_of_extents(13, 0), "BMP"},
      {"bmp: 100k x 100k", bmp_of_extents(100'000, 100'000), "above the limit"},
      {"bmp: lowest height", bmp_of_extents(13, 0x80000000), "BMP"},
      {"bmp: compressed", with_byte(bmp, 30, 1), "BMP"},
      {"ppm: no extents", "P6\n", "truncated"},
      {"ppm: half", ppm.substr(0, ppm.size() / 2), "truncated"},
      {"ppm: one byte short", ppm.substr(0, ppm.size() - 1), "truncated"},
      {"ppm: 0 wide", "P6 0 5 255\n", "nothing in it"},
      {"ppm: 100k x 100k", "P6 100000 100000 255\n", "above the limit"},
      {"ppm: huge numbers", "P6 99999999999999999999 5 255\n", "no number"},
      {"ppm: negative", "P6 -5 5 255\n", "no number"},
      {"ppm: maximum 0", "P6 1 1 0\nabc", "up to 0"},
      {"ppm: maximum 65536", "P6 1 1 65536\nabcabc", "up to 65536"},
      {"pgm: no number", "P2 1 1 255 x", "no number"},
      {"pbm: a 2", "P1 2 1 1 2", "neither 0 nor 1"},
      {"pam: 5 channels", "P7\nWIDTH 1\nHEIGHT 1\nDEPTH 5\nMAXVAL 255\nENDHDR\n12345",
       "5 channels"},
      {"pam: no depth", "P7\nWIDTH 1\nHEIGHT 1\nENDHDR\n1", "0 channels"},
      {"pam: endless header", "P7\nFOO 1\n", "unknown header"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const std::string message = refusal(row.file);
    CAPTURE(message);
    CHECK(is_one_line_about(message, "photo.png"));
    CHECK(message.find(row.message) != std::string::npos);
  }
}

TEST_CASE("image file: a file that is cut anywhere is refused") {
  for (const ImageFormat format : {ImageFormat::kPng, ImageFormat::kJpeg, ImageFormat::kBmp,
                                   ImageFormat::kPnm, ImageFormat::kPam}) {
    for (const int bits : {8, 16}) {
      const std::string file = valid(format, bits);
      for (std::size_t length = 0; length < file.size(); ++length) {
        CAPTURE(name_of(format));
        CAPTURE(length);
        REQUIRE(is_one_line_about(refusal(file.substr(0, length)), "photo.png"));
      }
      CHECK(refusal(file).empty());
    }
  }
}

TEST_CASE("image file: damaged bytes give a picture or an InputError, nothing else") {
  ReadOptions options;
  options.max_pixels = 100'000;
  std::uint32_t state = 1;
  const auto random = [&](std::size_t below) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
  };
  for (const ImageFormat format : {ImageFormat::kPng, ImageFormat::kJpeg, ImageFormat::kBmp,
                                   ImageFormat::kPnm, ImageFormat::kPam}) {
    Image image = pattern_image(21, 17, 3, 8);
    image.icc = icc_profile("RGB ");
    image.exif = exif_block(6, true);
    const std::string file = to_string(encode_image(image, format));
    for (int attempt = 0; attempt < 1500; ++attempt) {
      std::string damaged = file;
      const std::size_t changes = 1 + random(4);
      // Half of the changes go to the header, where most decisions are made.
      for (std::size_t k = 0; k < changes; ++k) {
        const std::size_t end =
            random(2) == 0 ? std::min<std::size_t>(damaged.size(), 80) : damaged.size();
        damaged[random(end)] = static_cast<char>(random(256));
      }
      refusal(damaged, options);  // throws on anything but an InputError
    }
  }
}

TEST_CASE("image file: the limit of pixels is the caller's, and holds for the header alone") {
  const TemporaryFolder folder;
  write_file(folder / "large.png", png_of_extents(100'000, 100'000));
  CHECK_THROWS_WITH_AS(probe_image(folder / "large.png"), doctest::Contains("100000 x 100000"),
                       InputError);
  ReadOptions options;
  options.max_pixels = 13 * 9;
  CHECK(refusal(valid(ImageFormat::kPng), options).empty());
  options.max_pixels = 13 * 9 - 1;
  CHECK(refusal(valid(ImageFormat::kPng), options).find("13 x 9") != std::string::npos);
}

TEST_CASE("image file: what is no regular readable file is refused") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH_AS(read_image(folder.path()), doctest::Contains("is a folder"), InputError);
  CHECK_THROWS_WITH_AS(probe_image(folder.path()), doctest::Contains("is a folder"), InputError);
  CHECK_THROWS_WITH_AS(read_image(folder / "none.png"), doctest::Contains("No such file"),
                       InputError);
  CHECK_THROWS_WITH_AS(read_image("/dev/zero"), doctest::Contains("not an image"), InputError);
  CHECK_THROWS_WITH_AS(read_image("/dev/null"), doctest::Contains("empty"), InputError);
  write_file(folder / "secret.png", valid(ImageFormat::kPng));
  chmod((folder / "secret.png").c_str(), 0);
  // Root reads every file, but address 0 of a process is nobody's.
  const std::string unreadable = geteuid() == 0 ? "/proc/self/mem" : folder / "secret.png";
  CHECK_THROWS_WITH_AS(read_image(unreadable), doctest::Contains("cannot be read"), InputError);
}

TEST_CASE("image file: a file above the limit of bytes is refused before it is read whole") {
  const TemporaryFolder folder;
  write_file(folder / "a.ppm", "P6 10 10 255\n" + std::string(1 << 20, 'x'));
  ReadOptions options;
  options.max_file_bytes = 1 << 19;
  CHECK_THROWS_WITH_AS(read_image(folder / "a.ppm", options), doctest::Contains("limit"),
                       InputError);
}
