// Image files: PNG, JPEG, BMP, PNM (PPM, PGM, PBM) and PAM, recognised by content, never by name.
//
// Every error is one line that starts with the file's name and says what, where and what to do:
//   photo.png: PNG is truncated at byte 18233 (inside IDAT); get a complete copy of the file
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "restore/image.h"

namespace mend {

/// Is told, in one line, of what was left out but is no error ("a.png: animated; first frame only").
using NoteCallback = std::function<void(const std::string&)>;

struct ReadOptions {
  std::int64_t max_pixels = 400'000'000;  ///< larger headers are refused before any allocation
  std::int64_t max_file_bytes = std::int64_t{2} << 30;
  NoteCallback note = {};  ///< may be empty
};

/// What a file's header says; extents as the pixels will stand after EXIF orientation.
struct ImageInfo {
  int width = 0, height = 0;
  int channels = 0;  ///< as Image::channels: palettes count as RGB, transparency as alpha
  int bits = 0;      ///< 8 or 16; fewer bits in the file are widened to 8
  ImageFormat format = ImageFormat::kUnknown;
};

/// Reads the header alone, at most 8 MiB. Throws InputError for all that read_image would refuse
/// from it. Of standard input, "-", it takes what a later read_image would miss.
ImageInfo probe_image(const std::string& path, const ReadOptions& options = {});

/// What probe_image reads of a file: enough for a header with its ICC profile and EXIF.
constexpr std::int64_t kHeaderBytes = std::int64_t{8} << 20;

/// The same from memory, where the whole file is, or kHeaderBytes of it; `name` is what messages call it.
ImageInfo probe_image(std::span<const std::uint8_t> bytes, const std::string& name,
                      const ReadOptions& options = {});

/// Reads a picture; "-" is standard input. Throws InputError; never returns half a picture.
Image read_image(const std::string& path, const ReadOptions& options = {});

/// The same from memory; `name` is what messages call it.
Image decode_image(std::span<const std::uint8_t> bytes, const std::string& name,
                   const ReadOptions& options = {});

struct WriteOptions {
  int quality = 95;        ///< JPEG, 1..100 on the IJG scale; from 90 on chroma is not subsampled
  int bits = 0;            ///< 8 or 16; 0 keeps the image's where the format can
  int compression = 2;     ///< PNG: zlib level 0..9
  NoteCallback note = {};  ///< may be empty
};

/// The format that the extension of `path` names: .png .jpg .jpeg .bmp .ppm .pgm .pnm .pam,
/// in any case.
/// "-", standard output, is PNG. Throws UsageError for any other.
ImageFormat format_of_path(const std::string& path);

/// Writes beside the final name and renames, so that no half file is ever seen (atomic_file.h);
/// "-" is standard output.
/// Format from the extension. ICC and EXIF are kept where the format has a place for them.
/// Throws WriteError (disk full, no such folder), UsageError (transparency into JPEG, BMP or PNM).
void write_image(const std::string& path, const Image& image, const WriteOptions& options = {});

/// The same into memory.
std::vector<std::uint8_t> encode_image(const Image& image, ImageFormat format,
                                       const WriteOptions& options = {});

}  // namespace mend
