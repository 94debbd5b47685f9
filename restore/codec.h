// What a codec is: one row of the table in image_file.cpp, in one file of its own.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "engine/sink.h"
#include "restore/image_file.h"

namespace mend {

using Bytes = std::span<const std::uint8_t>;

/// An encoded picture and what messages call it.
struct Source {
  Bytes bytes;
  const std::string& name;
  const ReadOptions& options;
};

struct Codec {
  ImageFormat format;
  std::string_view extensions;  ///< " .jpg .jpeg ", lower case, each between spaces
  int max_bits;                 ///< 8 or 16 a channel
  bool holds_alpha;
  /// Looks at the first bytes alone.
  bool (*recognises)(Bytes bytes);
  ImageInfo (*probe)(const Source& source);
  Image (*decode)(const Source& source);
  /// Streams rows; the image holds no alpha that the format cannot. `options.bits` is 8 or 16.
  void (*encode)(const Image& image, Sink& sink, const WriteOptions& options);
};

extern const Codec kPngCodec;
extern const Codec kJpegCodec;
extern const Codec kBmpCodec;
extern const Codec kPnmCodec;
extern const Codec kPamCodec;

/// Throws InputError "name: what".
[[noreturn]] void refuse(const Source& source, const std::string& what);

/// Tells the note callback "name: what".
void note(const Source& source, const std::string& what);

/// Refuses pictures without pixels and those above options.max_pixels.
void check_extents(const Source& source, ImageFormat format, std::int64_t width,
                   std::int64_t height);

/// Begins with this signature.
inline bool starts_with(Bytes bytes, std::string_view signature) {
  return bytes.size() >= signature.size() &&
         std::string_view(reinterpret_cast<const char*>(bytes.data()), signature.size()) ==
             signature;
}

/// Unsigned integers at a place that lies inside `bytes`.
inline std::uint32_t little_endian(Bytes bytes, std::size_t at, int count) {
  std::uint32_t value = 0;
  for (int k = count - 1; k >= 0; --k) value = value << 8 | bytes[at + k];
  return value;
}
inline std::uint32_t big_endian(Bytes bytes, std::size_t at, int count) {
  std::uint32_t value = 0;
  for (int k = 0; k < count; ++k) value = value << 8 | bytes[at + k];
  return value;
}

}  // namespace mend
