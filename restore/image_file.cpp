#include "restore/image_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "engine/atomic_file.h"
#include "engine/cancel.h"
#include "engine/error.h"
#include "restore/codec.h"

namespace mend {
namespace {

// A new format is one file and one line here.
constexpr std::array kCodecs = {&kPngCodec, &kJpegCodec, &kBmpCodec, &kPnmCodec, &kPamCodec};

/// Formats that users meet and that are not read, so that the message can name them.
struct Foreign {
  std::string_view name;
  std::string_view signature;
  std::size_t offset;
};
constexpr Foreign kForeign[] = {
    {"GIF", "GIF8", 0},           {"WebP", "WEBP", 8},        {"TIFF", {"II*\0", 4}, 0},
    {"TIFF", {"MM\0*", 4}, 0},    {"HEIC", "ftyphei", 4},     {"HEIC", "ftypmif1", 4},
    {"AVIF", "ftypavif", 4},      {"JPEG XL", "\xFF\x0A", 0}, {"JPEG XL", "JXL \r\n", 4},
    {"JPEG 2000", "jP  \r\n", 4}, {"Photoshop", "8BPS", 0},   {"OpenEXR", "\x76\x2F\x31\x01", 0},
    {"Radiance HDR", "#?RAD", 0}, {"PDF", "%PDF", 0},
};

const Codec* codec_of(ImageFormat format) {
  const auto found = std::ranges::find(kCodecs, format, &Codec::format);
  return found == kCodecs.end() ? nullptr : *found;
}

constexpr std::string_view kReadable = "PNG, JPEG, BMP, PPM, PGM, PBM or PAM";

/// Finds the codec by the first bytes, or says what they are instead.
const Codec& recognise(const Source& source) {
  if (source.bytes.empty()) refuse(source, "the file is empty");
  for (const Codec* codec : kCodecs) {
    if (codec->recognises(source.bytes)) return *codec;
  }
  for (const Foreign& foreign : kForeign) {
    if (source.bytes.size() > foreign.offset &&
        starts_with(source.bytes.subspan(foreign.offset), foreign.signature)) {
      refuse(source, fmt::format("{} is not supported; convert it to PNG first", foreign.name));
    }
  }
  refuse(source, fmt::format("not an image that can be read ({})", kReadable));
}

/// An open file, or standard input, that is closed with its scope.
class InputFile {
 public:
  explicit InputFile(const std::string& path) : path_(path) {
    if (path == "-") {
      descriptor_ = STDIN_FILENO;
      return;
    }
    descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail();
    struct stat status {};
    if (fstat(descriptor_, &status) == 0 && S_ISDIR(status.st_mode)) {
      close(descriptor_);
      throw InputError(fmt::format("{}: is a folder, not an image", path));
    }
  }
  ~InputFile() {
    if (descriptor_ != STDIN_FILENO) close(descriptor_);
  }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  /// Appends until `bytes` has `limit` bytes or the file ends.
  void read_up_to(std::int64_t limit, std::vector<std::uint8_t>& bytes) {
    constexpr std::size_t kStep = std::size_t{1} << 20;
    while (std::ssize(bytes) < limit) {
      const std::size_t before = bytes.size();
      const std::size_t step = std::min(kStep, static_cast<std::size_t>(limit) - before);
      bytes.resize(before + step);
      const ssize_t count = read(descriptor_, bytes.data() + before, step);
      bytes.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
      if (count < 0 && errno == EINTR) {
        check_cancel();  // the end of a pipe may never come
        continue;
      }
      if (count < 0) fail();
      if (count == 0) return;
    }
  }

  /// Bytes of a regular file, to reserve memory once; 0 if unknown.
  std::size_t expected_bytes() const {
    struct stat status {};
    const bool known = fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode);
    return known ? static_cast<std::size_t>(status.st_size) : 0;
  }

 private:
  [[noreturn]] void fail() const {
    throw InputError(
        fmt::format("{}: cannot be read: {}", path_, std::generic_category().message(errno)));
  }

  const std::string& path_;
  int descriptor_ = -1;
};

/// Standard output, where a picture goes as it is made: nobody can rename a pipe.
class StandardOutput : public Sink {
 public:
  void write(std::span<const std::uint8_t> bytes) override {
    if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) fail();
  }
  void finish() {
    if (std::fflush(stdout) != 0) fail();
  }

 private:
  [[noreturn]] static void fail() {
    throw WriteError(fmt::format("standard output: cannot be written: {}",
                                 std::generic_category().message(errno)));
  }
};

const std::string& display_name(const std::string& path) {
  static const std::string kStandardInput = "standard input";
  return path == "-" ? kStandardInput : path;
}

/// Enough for every signature, and for a look before a huge file is read.
constexpr std::int64_t kSignatureBytes = 4096;

/// The codec for this output, and the image as the format can hold it.
struct Encoding {
  const Codec& codec;
  std::optional<Image> opaque;  ///< a copy without alpha, if one was needed
  WriteOptions options;
};

Encoding prepare(const Image& image, ImageFormat format, const std::string& name,
                 const WriteOptions& options) {
  const Codec* codec = codec_of(format);
  if (codec == nullptr) throw UsageError(fmt::format("{}: no format to write", name));
  Encoding encoding{*codec, std::nullopt, options};
  if (options.bits != 0 && options.bits != 8 && options.bits != 16) {
    throw UsageError(
        fmt::format("{}: {} bits were asked for; 8 or 16 are possible", name, options.bits));
  }
  if (options.quality < 1 || options.quality > 100) {
    throw UsageError(fmt::format("{}: quality {} is not in 1..100", name, options.quality));
  }
  if (options.compression < 0 || options.compression > 9) {
    throw UsageError(fmt::format("{}: compression {} is not in 0..9", name, options.compression));
  }
  if (options.bits > codec->max_bits) {
    throw UsageError(fmt::format("{}: {} holds {} bits, {} were asked for; use .png", name,
                                 name_of(format), codec->max_bits, options.bits));
  }
  if (options.bits == 0) encoding.options.bits = std::min(image.bits, codec->max_bits);
  if (image.has_alpha() && !codec->holds_alpha) {
    if (!is_opaque(image)) {
      throw UsageError(fmt::format("{}: the image is transparent and {} holds no alpha; use .png",
                                   name, name_of(format)));
    }
    encoding.opaque = without_alpha(image);
  }
  return encoding;
}

}  // namespace

void refuse(const Source& source, const std::string& what) {
  throw InputError(source.name + ": " + what);
}

void note(const Source& source, const std::string& what) {
  if (source.options.note) source.options.note(source.name + ": " + what);
}

void check_extents(const Source& source, ImageFormat format, std::int64_t width,
                   std::int64_t height) {
  if (width <= 0 || height <= 0) {
    refuse(source,
           fmt::format("{} of {} x {} pixels has nothing in it", name_of(format), width, height));
  }
  constexpr std::int64_t kLongestSide = 0x7FFFFFFF;
  if (width > kLongestSide || height > kLongestSide || width > source.options.max_pixels / height) {
    refuse(source,
           fmt::format("{} of {} x {} pixels is above the limit of {:.1f} megapixels; crop it "
                       "or raise the limit",
                       name_of(format), width, height,
                       static_cast<double>(source.options.max_pixels) / 1e6));
  }
}

ImageInfo probe_image(const std::string& path, const ReadOptions& options) {
  InputFile file(path);
  std::vector<std::uint8_t> bytes;
  file.read_up_to(kHeaderBytes, bytes);
  return probe_image(bytes, display_name(path), options);
}

ImageInfo probe_image(std::span<const std::uint8_t> bytes, const std::string& name,
                      const ReadOptions& options) {
  const Source source{bytes, name, options};
  return recognise(source).probe(source);
}

Image read_image(const std::string& path, const ReadOptions& options) {
  InputFile file(path);
  std::vector<std::uint8_t> bytes;
  file.read_up_to(kSignatureBytes, bytes);
  // Before the rest is read: an endless device or a film is not an image.
  recognise({bytes, display_name(path), options});
  const std::size_t limit = static_cast<std::size_t>(options.max_file_bytes);
  bytes.reserve(std::min(file.expected_bytes(), limit));
  file.read_up_to(options.max_file_bytes + 1, bytes);
  if (bytes.size() > limit) {
    throw InputError(fmt::format("{}: the file is larger than the limit of {} MiB",
                                 display_name(path), limit >> 20));
  }
  return decode_image(bytes, display_name(path), options);
}

Image decode_image(std::span<const std::uint8_t> bytes, const std::string& name,
                   const ReadOptions& options) {
  const Source source{bytes, name, options};
  return recognise(source).decode(source);
}

ImageFormat format_of_path(const std::string& path) {
  if (path == "-") return ImageFormat::kPng;
  std::string extension = std::filesystem::path(path).extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char letter) {
    return static_cast<char>(std::tolower(letter));
  });
  for (const Codec* codec : kCodecs) {
    const bool known = codec->extensions.find(" " + extension + " ") != std::string_view::npos;
    if (!extension.empty() && known) return codec->format;
  }
  throw UsageError(fmt::format(
      "{}: the extension \"{}\" names no image format; use .png, .jpg, .bmp, .ppm, .pgm or .pam",
      path, extension));
}

void write_image(const std::string& path, const Image& image, const WriteOptions& options) {
  const Encoding encoding = prepare(image, format_of_path(path), path, options);
  const Image& encoded = encoding.opaque ? *encoding.opaque : image;
  if (path == "-") {
    StandardOutput output;
    encoding.codec.encode(encoded, output, encoding.options);
    output.finish();
    return;
  }
  AtomicFile file(path);
  encoding.codec.encode(encoded, file, encoding.options);
  file.commit();
}

std::vector<std::uint8_t> encode_image(const Image& image, ImageFormat format,
                                       const WriteOptions& options) {
  const Encoding encoding = prepare(image, format, "image", options);
  MemorySink sink;
  encoding.codec.encode(encoding.opaque ? *encoding.opaque : image, sink, encoding.options);
  return sink.take();
}

}  // namespace mend
