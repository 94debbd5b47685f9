// BMP: read through stb_image, written by ourselves row by row (24 bits a pixel, uncompressed).
// https://learn.microsoft.com/windows/win32/gdi/bitmap-storage
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "engine/error.h"
#include "restore/codec.h"

#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <stb_image.h>
#pragma GCC diagnostic pop

namespace mend {
namespace {

constexpr std::size_t kFileHeaderBytes = 14;
constexpr std::size_t kInfoHeaderBytes = 40;
constexpr std::size_t kHeaderBytes = kFileHeaderBytes + kInfoHeaderBytes;

bool recognises(Bytes bytes) {
  if (!starts_with(bytes, "BM") || bytes.size() < kFileHeaderBytes + 4) return false;
  const std::uint32_t info_bytes = little_endian(bytes, kFileHeaderBytes, 4);
  return info_bytes == 12 || (info_bytes >= kInfoHeaderBytes && info_bytes <= 124);
}

/// Refuses what stb_image would read as zeros: it does not check that the pixels are all there.
void check_length(const Source& source, int width, int height) {
  const bool old = little_endian(source.bytes, kFileHeaderBytes, 4) == 12;
  const std::size_t bits_at = kFileHeaderBytes + (old ? 10 : 14);
  if (source.bytes.size() < bits_at + 2) refuse(source, "BMP is truncated inside its header");
  const std::uint64_t pixels_at = little_endian(source.bytes, 10, 4);
  const std::uint64_t bits = little_endian(source.bytes, bits_at, 2);
  const std::uint64_t row_bytes = (static_cast<std::uint64_t>(width) * bits + 31) / 32 * 4;
  const std::uint64_t needed = pixels_at + row_bytes * static_cast<std::uint64_t>(height);
  if (source.bytes.size() < needed) {
    refuse(source, fmt::format("BMP is truncated at byte {} of {}; get a complete copy of the file",
                               source.bytes.size(), needed));
  }
}

/// stb_image takes lengths as int.
int length_of(const Source& source) {
  if (source.bytes.size() > 0x7FFFFFFF)
    refuse(source, "BMP is larger than 2 GiB; convert it to PNG");
  return static_cast<int>(source.bytes.size());
}

ImageInfo probe(const Source& source) {
  int width = 0, height = 0, channels = 0;
  if (stbi_info_from_memory(source.bytes.data(), length_of(source), &width, &height, &channels) ==
      0) {
    refuse(source,
           fmt::format("BMP cannot be read ({}); convert it to PNG", stbi_failure_reason()));
  }
  check_extents(source, ImageFormat::kBmp, width, height);
  return {width, height, channels, 8, ImageFormat::kBmp};
}

Image decode(const Source& source) {
  const ImageInfo info = probe(source);
  check_length(source, info.width, info.height);
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(source.bytes.data(), length_of(source), &width, &height, &channels,
                            info.channels),
      std::free);
  if (pixels == nullptr) {
    refuse(source,
           fmt::format("BMP cannot be read ({}); convert it to PNG", stbi_failure_reason()));
  }
  Image image = make_image(width, height, info.channels, 8);
  std::memcpy(image.bytes.data(), pixels.get(), image.bytes.size());
  image.format = ImageFormat::kBmp;
  return image;
}

void put(std::array<std::uint8_t, kHeaderBytes>& header, std::size_t at, int count,
         std::uint64_t value) {
  for (int k = 0; k < count; ++k, value >>= 8) header[at + k] = static_cast<std::uint8_t>(value);
}

/// BITMAPFILEHEADER and BITMAPINFOHEADER for 24 bits, rows from the bottom.
std::array<std::uint8_t, kHeaderBytes> header_of(const Image& image, std::size_t row_bytes) {
  const std::uint64_t pixel_bytes = std::uint64_t{row_bytes} * image.height;
  const std::uint64_t file_bytes = kHeaderBytes + pixel_bytes;
  if (file_bytes > 0xFFFFFFFF) {
    throw UsageError(fmt::format("BMP holds 4 GiB, {} x {} pixels are more; use .png", image.width,
                                 image.height));
  }
  std::array<std::uint8_t, kHeaderBytes> header{};
  header[0] = 'B';
  header[1] = 'M';
  put(header, 2, 4, file_bytes);
  put(header, 10, 4, kHeaderBytes);
  put(header, 14, 4, kInfoHeaderBytes);
  put(header, 18, 4, image.width);
  put(header, 22, 4, image.height);
  put(header, 26, 2, 1);   // planes
  put(header, 28, 2, 24);  // bits a pixel
  put(header, 34, 4, pixel_bytes);
  return header;
}

void encode(const Image& image, Sink& sink, const WriteOptions&) {
  const std::size_t row_bytes = (static_cast<std::size_t>(image.width) * 3 + 3) / 4 * 4;
  sink.write(header_of(image, row_bytes));
  std::vector<std::uint8_t> narrow(static_cast<std::size_t>(image.width) * image.channels);
  std::vector<std::uint8_t> row(row_bytes);
  for (int y = image.height - 1; y >= 0; --y) {
    copy_row(image, y, 8, narrow.data());
    for (int x = 0; x < image.width; ++x) {
      const std::uint8_t* pixel = narrow.data() + static_cast<std::size_t>(x) * image.channels;
      for (int c = 0; c < 3; ++c)
        row[3 * x + 2 - c] = pixel[image.channels == 1 ? 0 : c];  // B, G, R
    }
    sink.write(row);
  }
}

}  // namespace

const Codec kBmpCodec = {ImageFormat::kBmp, " .bmp ", 8, false, recognises, probe, decode, encode};

}  // namespace mend
