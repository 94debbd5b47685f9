// Pictures and image files for tests, made from nothing. PNG files are put together chunk by chunk,
// so that the reader is tested against the format and not against our own writer.
#pragma once

#include <zlib.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

// jpeglib.h needs <cstdio> before it.
// clang-format off
#include <jpeglib.h>
// clang-format on

#include "restore/image.h"

namespace mend::test {

/// Every channel of every pixel is different from its neighbours'; with 16 bits both bytes matter.
inline Image pattern_image(int width, int height, int channels, int bits) {
  Image image = make_image(width, height, channels, bits);
  std::uint32_t state = 12345;
  for (std::uint8_t& byte : image.bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<std::uint8_t>(state >> 24);
  }
  return image;
}

/// Slow waves that JPEG keeps to within a few grey levels.
inline Image smooth_image(int width, int height, int channels) {
  Image image = make_image(width, height, channels, 8);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) {
        image.row(y)[x * channels + c] =
            static_cast<std::uint8_t>(40 + 150 * y / height + (30 + 20 * c) * x / width);
      }
    }
  }
  return image;
}

inline std::string big_endian_bytes(std::uint32_t value, int count) {
  std::string bytes;
  for (int k = count - 1; k >= 0; --k) bytes += static_cast<char>(value >> (8 * k));
  return bytes;
}

inline std::string png_chunk(const std::string& type, const std::string& contents) {
  const std::string body = type + contents;
  const uLong crc =
      crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian_bytes(static_cast<std::uint32_t>(contents.size()), 4) + body +
         big_endian_bytes(static_cast<std::uint32_t>(crc), 4);
}

inline std::string deflated(const std::string& bytes) {
  uLongf size = compressBound(static_cast<uLong>(bytes.size()));
  std::string out(size, '\0');
  compress(reinterpret_cast<Bytef*>(out.data()), &size,
           reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uLong>(bytes.size()));
  out.resize(size);
  return out;
}

struct PngParts {
  std::uint32_t width = 1, height = 1;
  int depth = 8;
  int colour_type = 0;  ///< 0 gray, 2 RGB, 3 palette, 4 gray + alpha, 6 RGBA
  bool interlaced = false;
  std::string chunks = {};     ///< between IHDR and IDAT
  std::string scanlines = {};  ///< each with its filter byte
};

inline const std::string kPngSignature = "\x89PNG\r\n\x1a\n";

inline std::string make_png(const PngParts& parts) {
  std::string header = big_endian_bytes(parts.width, 4) + big_endian_bytes(parts.height, 4);
  header += static_cast<char>(parts.depth);
  header += static_cast<char>(parts.colour_type);
  header += std::string(2, '\0');
  header += static_cast<char>(parts.interlaced ? 1 : 0);
  return kPngSignature + png_chunk("IHDR", header) + parts.chunks +
         png_chunk("IDAT", deflated(parts.scanlines)) + png_chunk("IEND", "");
}

/// Scanlines of an 8-bit picture as PNG stores them: filter 0 before each row; Adam7's seven
/// reduced pictures one after the other when interlaced.
inline std::string png_scanlines(const Image& image, bool interlaced) {
  struct Pass {
    int y, x, step_y, step_x;
  };
  std::vector<Pass> passes = {{0, 0, 1, 1}};
  if (interlaced) {
    passes = {{0, 0, 8, 8}, {0, 4, 8, 8}, {4, 0, 8, 4}, {0, 2, 4, 4},
              {2, 0, 4, 2}, {0, 1, 2, 2}, {1, 0, 2, 1}};
  }
  std::string lines;
  for (const Pass& pass : passes) {
    if (pass.x >= image.width) continue;
    for (int y = pass.y; y < image.height; y += pass.step_y) {
      lines += '\0';
      for (int x = pass.x; x < image.width; x += pass.step_x) {
        lines.append(reinterpret_cast<const char*>(image.row(y) + x * image.channels),
                     image.channels);
      }
    }
  }
  return lines;
}

/// A TIFF block whose first directory says this orientation and whose second is a thumbnail's.
inline std::vector<std::uint8_t> exif_block(int orientation, bool little_endian) {
  const auto number = [&](std::uint32_t value, int count) {
    std::string bytes = big_endian_bytes(value, count);
    if (little_endian) bytes.assign(bytes.rbegin(), bytes.rend());
    return bytes;
  };
  std::string block = (little_endian ? "II" : "MM") + number(42, 2) + number(8, 4);
  block += number(2, 2);                                              // entries
  block += number(0x010F, 2) + number(2, 2) + number(4, 4) + "Mend";  // maker
  block += number(0x0112, 2) + number(3, 2) + number(1, 4) + number(orientation, 2) + number(0, 2);
  block += number(38, 4);  // next directory
  block += number(0, 2) + number(0, 4);
  return {block.begin(), block.end()};
}

/// Not a usable profile, but one that says what it is for: "RGB " or "GRAY".
inline std::vector<std::uint8_t> icc_profile(const std::string& colour_space) {
  constexpr std::size_t kHeaderBytes = 132;
  // Noise behind the header: libpng takes a profile that deflates to nearly nothing for a cut one.
  std::vector<std::uint8_t> profile = pattern_image(120, 1, 1, 8).bytes;
  profile.insert(profile.begin(), kHeaderBytes, 0);
  profile[3] = static_cast<std::uint8_t>(profile.size());
  const auto put = [&](std::size_t at, const std::string& text) {
    std::memcpy(profile.data() + at, text.data(), text.size());
  };
  profile[8] = 2;  // version
  put(12, "mntr");
  put(16, colour_space);
  put(20, "XYZ ");
  put(36, "acsp");
  // D50, the illuminant that every profile names: s15Fixed16.
  put(68, std::string("\x00\x00\xF6\xD6\x00\x01\x00\x00\x00\x00\xD3\x2D", 12));
  return profile;
}

/// A JPEG of four inks, as for printing.
inline std::string cmyk_jpeg() {
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* bytes = nullptr;
  unsigned long count = 0;
  jpeg_mem_dest(&jpeg, &bytes, &count);
  jpeg.image_width = jpeg.image_height = 8;
  jpeg.input_components = 4;
  jpeg.in_color_space = JCS_CMYK;
  jpeg_set_defaults(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  std::array<JSAMPLE, 8 * 4> samples{};
  for (int y = 0; y < 8; ++y) {
    JSAMPROW row = samples.data();
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  std::string file(reinterpret_cast<const char*>(bytes), count);
  jpeg_destroy_compress(&jpeg);
  std::free(bytes);
  return file;
}

inline std::string to_string(const std::vector<std::uint8_t>& bytes) {
  return {bytes.begin(), bytes.end()};
}
inline std::vector<std::uint8_t> to_bytes(const std::string& text) {
  return {text.begin(), text.end()};
}

}  // namespace mend::test
