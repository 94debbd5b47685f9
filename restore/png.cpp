// PNG through libpng (PNG specification, third edition; eXIf and iCCP are kept, gAMA is ignored as
// the published results do).
//
// libpng reports errors by longjmp. So that no destructor is ever jumped over, each run of libpng
// calls is a lambda without objects of its own inside `guarded`, and everything that it fills lives
// outside.
#include <fmt/format.h>
#include <png.h>

#include <bit>
#include <cctype>
#include <cstdlib>
#include <exception>
#include <utility>

#include "engine/error.h"
#include "restore/codec.h"
#include "restore/exif.h"

namespace mend {
namespace {

constexpr std::string_view kSignature{"\x89PNG\r\n\x1a\n", 8};

/// The four letters of a chunk's type, from the file's big-endian number.
std::string readable_type(std::uint32_t type) {
  std::string name;
  for (int shift = 24; shift >= 0; shift -= 8) {
    const char letter = static_cast<char>(type >> shift & 0xFF);
    name += std::isalpha(static_cast<unsigned char>(letter)) != 0 ? letter : '?';
  }
  return name;
}

/// Runs `calls`; false if libpng gave up in them.
template <class Calls>
bool guarded(png_structp png, Calls calls) {
  if (setjmp(png_jmpbuf(png))) return false;
  calls();
  return true;
}

/// Refuses a chunk that claims to be longer than the rest of the file, up to the first IDAT or to the
/// end: libpng 1.6 only warns of such lengths, and then allocates up to 2 GiB of them.
void check_chunk_lengths(const Source& source, bool header_alone) {
  constexpr std::size_t kFrame = 12;  // length, type and checksum around the contents
  std::size_t at = kSignature.size();
  while (source.bytes.size() - at >= kFrame) {
    const std::size_t length = big_endian(source.bytes, at, 4);
    const std::size_t rest = source.bytes.size() - at - kFrame;
    const std::string type = readable_type(big_endian(source.bytes, at + 4, 4));
    if (type == "IEND" || (type == "IDAT" && header_alone)) return;
    if (length > rest) {
      refuse(source,
             fmt::format("PNG is truncated at byte {} (inside {}, which lacks {} of {} bytes); "
                         "get a complete copy of the file",
                         source.bytes.size(), type, length - rest, length));
    }
    at += kFrame + length;
  }
}

/// Chunk and inflate buffers of a hostile file stay below this; pixels are checked by ourselves.
constexpr png_alloc_size_t kLargestChunk = 16u << 20;

class PngReader {
 public:
  explicit PngReader(const Source& source) : source_(source) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    info_ = png_ != nullptr ? png_create_info_struct(png_) : nullptr;
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw OutOfMemory(source.name + ": no memory for the PNG decoder");
    }
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  /// Reads all that comes before the pixels and refuses extents that are out of bounds.
  ImageInfo read_header() {
    run([&] {
      png_set_read_fn(png_, this, on_read);
      png_set_read_user_chunk_fn(png_, this, on_unknown_chunk);
      png_set_user_limits(png_, 0x7FFFFFFF, 0x7FFFFFFF);
      png_set_chunk_malloc_max(png_, kLargestChunk);
      png_read_info(png_, info_);
    });
    const std::int64_t width = png_get_image_width(png_, info_);
    const std::int64_t height = png_get_image_height(png_, info_);
    check_extents(source_, ImageFormat::kPng, width, height);
    const int colour_type = png_get_color_type(png_, info_);
    const bool colour = (colour_type & PNG_COLOR_MASK_COLOR) != 0;
    const bool alpha = (colour_type & PNG_COLOR_MASK_ALPHA) != 0 || has(PNG_INFO_tRNS);
    ImageInfo info;
    info.width = static_cast<int>(width);
    info.height = static_cast<int>(height);
    info.channels = (colour ? 3 : 1) + (alpha ? 1 : 0);
    info.bits = png_get_bit_depth(png_, info_) == 16 ? 16 : 8;
    info.format = ImageFormat::kPng;
    return info;
  }

  /// Deflate makes at most 1032 bytes of one: a short file that claims more is damaged, and is
  /// refused before memory is spent on it.
  void check_plausible() const {
    constexpr std::uint64_t kMostBytesPerByte = 1032;
    const std::uint64_t bytes =
        std::uint64_t{png_get_image_height(png_, info_)} * png_get_rowbytes(png_, info_);
    if (bytes / kMostBytesPerByte > source_.bytes.size()) {
      refuse(source_, fmt::format("PNG is truncated at byte {}: {} x {} pixels need more; get a "
                                  "complete copy of the file",
                                  source_.bytes.size(), png_get_image_width(png_, info_),
                                  png_get_image_height(png_, info_)));
    }
  }

  bool animated() const { return animated_; }

  std::vector<std::uint8_t> exif() {
    png_bytep bytes = nullptr;
    png_uint_32 count = 0;
    if (png_get_eXIf_1(png_, info_, &count, &bytes) == 0 || bytes == nullptr) return {};
    return {bytes, bytes + count};
  }

  std::vector<std::uint8_t> icc() {
    png_charp name = nullptr;
    png_bytep bytes = nullptr;
    png_uint_32 count = 0;
    int compression = 0;
    if (png_get_iCCP(png_, info_, &name, &compression, &bytes, &count) == 0) return {};
    return {bytes, bytes + count};
  }

  /// Fills the image, which has the extents that the header announced, and reads to the file's end.
  void read_pixels(Image& image) {
    run([&] {
      png_set_expand(png_);  // palette -> RGB, 1/2/4 bits -> 8, tRNS -> alpha
      if (std::endian::native == std::endian::little) png_set_swap(png_);
      const int passes = png_set_interlace_handling(png_);
      png_read_update_info(png_, info_);
      if (png_get_rowbytes(png_, info_) != image.row_bytes()) {
        png_error(png_, "the rows have another length than the header says");
      }
      for (int pass = 0; pass < passes; ++pass) {
        for (int y = 0; y < image.height; ++y) png_read_row(png_, image.row(y), nullptr);
      }
      png_read_end(png_, nullptr);
    });
  }

 private:
  template <class Calls>
  void run(Calls calls) {
    if (!guarded(png_, calls)) refuse(source_, message_);
  }

  bool has(png_uint_32 chunk) const { return png_get_valid(png_, info_, chunk) != 0; }

  static PngReader& self(png_voidp pointer) { return *static_cast<PngReader*>(pointer); }

  [[noreturn]] static void on_error(png_structp png, png_const_charp what) {
    self(png_get_error_ptr(png)).describe(png, what);
    png_longjmp(png, 1);
  }
  /// libpng warns of colour profiles and the like that do not change pixels.
  static void on_warning(png_structp, png_const_charp) {}

  void describe(png_structp png, png_const_charp what) {
    if (truncated_) {
      message_ = fmt::format("PNG is truncated at byte {} ({}); get a complete copy of the file",
                             source_.bytes.size(), place(png));
    } else {
      message_ = fmt::format("PNG is damaged near byte {} ({}: {}); get a clean copy of the file",
                             position_, place(png), what);
    }
  }

  /// "inside IDAT", "after IHDR".
  static std::string place(png_structp png) {
    const png_uint_32 type = png_get_io_chunk_type(png);
    if (type == 0) return "before the first chunk";
    const bool between = (png_get_io_state(png) & PNG_IO_MASK_LOC) == PNG_IO_CHUNK_HDR;
    return (between ? "after " : "inside ") + readable_type(type);
  }

  static void on_read(png_structp png, png_bytep to, std::size_t count) {
    PngReader& reader = self(png_get_io_ptr(png));
    if (count > reader.source_.bytes.size() - reader.position_) {
      reader.truncated_ = true;
      png_error(png, "truncated");
    }
    std::copy_n(reader.source_.bytes.data() + reader.position_, count, to);
    reader.position_ += count;
  }

  /// acTL announces an animation (APNG). 1: the chunk was dealt with.
  static int on_unknown_chunk(png_structp png, png_unknown_chunkp chunk) {
    if (std::string_view(reinterpret_cast<const char*>(chunk->name), 4) == "acTL") {
      self(png_get_user_chunk_ptr(png)).animated_ = true;
    }
    return 1;
  }

  const Source& source_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::size_t position_ = 0;
  bool truncated_ = false;
  bool animated_ = false;
  std::string message_;
};

/// Writes rows as they come.
class PngWriter {
 public:
  PngWriter(const Image& image, Sink& sink, const WriteOptions& options)
      : image_(image), sink_(sink), options_(options), row_(row_bytes()) {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    info_ = png_ != nullptr ? png_create_info_struct(png_) : nullptr;
    if (info_ == nullptr) {
      png_destroy_write_struct(&png_, nullptr);
      throw OutOfMemory("no memory for the PNG encoder");
    }
  }
  ~PngWriter() { png_destroy_write_struct(&png_, &info_); }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;

  void write() {
    const bool done = guarded(png_, [&] {
      png_set_write_fn(png_, this, on_write, on_flush);
      png_set_user_limits(png_, 0x7FFFFFFF, 0x7FFFFFFF);
      png_set_benign_errors(png_, 1);  // an unusual ICC profile is passed on, not judged
      set_header();
      png_write_info(png_, info_);
      if (std::endian::native == std::endian::little) png_set_swap(png_);
      for (int y = 0; y < image_.height; ++y) {
        copy_row(image_, y, options_.bits, row_.data());
        png_write_row(png_, row_.data());
      }
      png_write_end(png_, nullptr);
    });
    if (done) return;
    if (failure_ != nullptr) std::rethrow_exception(failure_);
    throw WriteError("PNG cannot be encoded: " + message_);
  }

 private:
  std::size_t row_bytes() const {
    return static_cast<std::size_t>(image_.width) * image_.channels * (options_.bits / 8);
  }

  void set_header() {
    constexpr int kColourTypes[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA,
                                    PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
    png_set_IHDR(png_, info_, image_.width, image_.height, options_.bits,
                 kColourTypes[image_.channels - 1], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_BASE,
                 PNG_FILTER_TYPE_BASE);
    png_set_compression_level(png_, options_.compression);
    // Against all five filters at zlib's default level 6, these two at level 2 encode photographs
    // 2.5 to 8 times as fast; files are 8% smaller or larger (Kodak 13 and 23).
    png_set_filter(png_, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB | PNG_FILTER_UP);
    if (!image_.icc.empty()) {
      png_set_iCCP(png_, info_, "ICC profile", PNG_COMPRESSION_TYPE_BASE, image_.icc.data(),
                   static_cast<png_uint_32>(image_.icc.size()));
    }
    if (!image_.exif.empty()) {
      // libpng takes a pointer to non-const, but copies.
      png_set_eXIf_1(png_, info_, static_cast<png_uint_32>(image_.exif.size()),
                     const_cast<png_bytep>(image_.exif.data()));
    }
  }

  static PngWriter& self(png_voidp pointer) { return *static_cast<PngWriter*>(pointer); }

  [[noreturn]] static void on_error(png_structp png, png_const_charp what) {
    self(png_get_error_ptr(png)).message_ = what;
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}

  static void on_write(png_structp png, png_bytep bytes, std::size_t count) {
    PngWriter& writer = self(png_get_io_ptr(png));
    try {
      writer.sink_.write({bytes, count});
    } catch (...) {
      writer.failure_ = std::current_exception();  // C frames lie between here and write()
    }
    if (writer.failure_ != nullptr) png_error(png, "the sink failed");
  }
  static void on_flush(png_structp) {}

  const Image& image_;
  Sink& sink_;
  const WriteOptions& options_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::vector<std::uint8_t> row_;
  std::string message_;
  std::exception_ptr failure_;
};

bool recognises(Bytes bytes) { return starts_with(bytes, kSignature); }

ImageInfo probe(const Source& source) {
  check_chunk_lengths(source, true);
  PngReader reader(source);
  ImageInfo info = reader.read_header();
  std::vector<std::uint8_t> exif = reader.exif();
  if (take_orientation(exif) >= 5) std::swap(info.width, info.height);
  return info;
}

Image decode(const Source& source) {
  check_chunk_lengths(source, false);
  PngReader reader(source);
  const ImageInfo info = reader.read_header();
  reader.check_plausible();
  if (reader.animated()) note(source, "PNG is animated; its first picture alone is used");
  Image image = make_image(info.width, info.height, info.channels, info.bits);
  reader.read_pixels(image);
  image.format = ImageFormat::kPng;
  image.icc = reader.icc();
  image.exif = reader.exif();
  apply_orientation(image, take_orientation(image.exif));
  return image;
}

void encode(const Image& image, Sink& sink, const WriteOptions& options) {
  PngWriter(image, sink, options).write();
}

}  // namespace

const Codec kPngCodec = {ImageFormat::kPng, " .png ", 16, true, recognises, probe, decode, encode};

}  // namespace mend
