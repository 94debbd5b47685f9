// JPEG through libjpeg-turbo: baseline and progressive, gray and colour, 8 bits.
//
// libjpeg reports errors by longjmp; see png.cpp for how no destructor is jumped over. Its warnings
// of corrupt data are errors here: it would fill the rest of a truncated photo with gray.
#include <fmt/format.h>

#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

// jpeglib.h needs <cstdio> before it, and jerror.h needs jpeglib.h.
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include "engine/error.h"
#include "restore/codec.h"
#include "restore/exif.h"
#include "restore/jpeg_quality.h"

namespace mend {
namespace {

constexpr std::string_view kExifPrefix{"Exif\0\0", 6};
constexpr int kExifMarker = JPEG_APP0 + 1;
constexpr int kIccMarker = JPEG_APP0 + 2;
constexpr unsigned kLongestMarker = 0xFFFF;
/// A marker's length counts its own two bytes.
constexpr std::size_t kMostExifBytes = kLongestMarker - 2 - kExifPrefix.size();
/// What libjpeg may hold at once; a progressive picture is held as 2 bytes a coefficient.
constexpr long kMemoryBytes = 4L << 30;
/// Encoders use about 10; a hostile file of some KB asks for thousands of passes over the picture.
constexpr int kMostScans = 200;

/// Our side of libjpeg's error manager. libjpeg finds it through `client_data`.
class Errors {
 public:
  /// Makes `jpeg`, a compress or decompress struct that is not created yet, report here: the create
  /// functions clear all but these two members.
  template <class Jpeg>
  void attach(Jpeg& jpeg) {
    jpeg.err = jpeg_std_error(&manager_);
    jpeg.client_data = this;
    manager_.error_exit = on_error;
    manager_.emit_message = on_message;
  }

  /// Runs `calls`, which must create no objects; false if libjpeg gave up in them.
  template <class Calls>
  bool guarded(Calls calls) {
    if (setjmp(jump_)) return false;
    calls();
    return true;
  }

  void forgive_trailing_bytes() { trailing_bytes_are_harmless_ = true; }
  int code() const { return manager_.msg_code; }
  const char* message() const { return message_.data(); }

 private:
  static Errors& of(j_common_ptr jpeg) { return *static_cast<Errors*>(jpeg->client_data); }

  [[noreturn]] static void on_error(j_common_ptr jpeg) {
    Errors& errors = of(jpeg);
    jpeg->err->format_message(jpeg, errors.message_.data());
    std::longjmp(errors.jump_, 1);
  }

  /// Level -1 is a warning, the others are a trace for debugging.
  static void on_message(j_common_ptr jpeg, int level) {
    if (level < 0 && !of(jpeg).is_harmless(jpeg->err->msg_code)) on_error(jpeg);
  }

  bool is_harmless(int code) const {
    return code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM || code == JWRN_BOGUS_ICC ||
           (code == JWRN_EXTRANEOUS_DATA && trailing_bytes_are_harmless_);
  }

  jpeg_error_mgr manager_{};
  std::jmp_buf jump_{};
  std::array<char, JMSG_LENGTH_MAX> message_{};
  bool trailing_bytes_are_harmless_ = false;
};

class JpegReader {
 public:
  explicit JpegReader(const Source& source) : source_(source) {
    errors_.attach(jpeg_);
    run([&] {
      jpeg_create_decompress(&jpeg_);
      jpeg_.mem->max_memory_to_use = kMemoryBytes;
      jpeg_mem_src(&jpeg_, source_.bytes.data(), source_.bytes.size());
      jpeg_.src->fill_input_buffer = on_end_of_bytes;
      progress_.progress_monitor = on_progress;
      jpeg_.progress = &progress_;
    });
  }
  ~JpegReader() { jpeg_destroy_decompress(&jpeg_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  ImageInfo read_header() {
    run([&] {
      jpeg_save_markers(&jpeg_, kExifMarker, kLongestMarker);
      jpeg_save_markers(&jpeg_, kIccMarker, kLongestMarker);
      jpeg_read_header(&jpeg_, TRUE);
    });
    header_is_read_ = true;
    check_extents(source_, ImageFormat::kJpeg, jpeg_.image_width, jpeg_.image_height);
    ImageInfo info;
    info.width = static_cast<int>(jpeg_.image_width);
    info.height = static_cast<int>(jpeg_.image_height);
    info.channels = colour_channels();
    info.bits = 8;
    info.format = ImageFormat::kJpeg;
    return info;
  }

  std::vector<std::uint8_t> exif() const {
    for (jpeg_saved_marker_ptr marker = jpeg_.marker_list; marker != nullptr;
         marker = marker->next) {
      const Bytes bytes{marker->data, marker->data_length};
      if (marker->marker == kExifMarker && starts_with(bytes, kExifPrefix)) {
        return {bytes.begin() + kExifPrefix.size(), bytes.end()};
      }
    }
    return {};
  }

  std::vector<std::uint8_t> icc() {
    JOCTET* bytes = nullptr;
    unsigned count = 0;
    run([&] { jpeg_read_icc_profile(&jpeg_, &bytes, &count); });
    std::vector<std::uint8_t> profile(bytes, bytes + count);
    std::free(bytes);
    return profile;
  }

  /// After the header: 0 if its first channel has no table yet, as in some progressive files.
  int quality() const {
    const JQUANT_TBL* table = jpeg_.quant_tbl_ptrs[jpeg_.comp_info[0].quant_tbl_no];
    return table != nullptr ? ijg_quality(table->quantval) : 0;
  }

  void read_pixels(Image& image) {
    run([&] {
      jpeg_.out_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
      jpeg_start_decompress(&jpeg_);
      while (jpeg_.output_scanline < jpeg_.output_height) {
        JSAMPROW row = image.row(static_cast<int>(jpeg_.output_scanline));
        jpeg_read_scanlines(&jpeg_, &row, 1);
      }
      errors_.forgive_trailing_bytes();
      jpeg_finish_decompress(&jpeg_);
    });
  }

 private:
  int colour_channels() const {
    switch (jpeg_.jpeg_color_space) {
      case JCS_GRAYSCALE:
        return 1;
      case JCS_YCbCr:
      case JCS_RGB:
        return 3;
      case JCS_CMYK:
      case JCS_YCCK:
        // Right colours need the press profile; a guess would shift every one of them.
        refuse(source_, "JPEG is CMYK, for printing; convert it to RGB first");
      default:
        refuse(source_,
               fmt::format("JPEG has {} channels of unknown colour; convert it to RGB first",
                           jpeg_.num_components));
    }
  }

  template <class Calls>
  void run(Calls calls) {
    if (errors_.guarded(calls)) return;
    if (errors_.code() == JERR_INPUT_EOF) {
      refuse(source_,
             fmt::format("JPEG is truncated at byte {} ({}); get a complete copy of the file",
                         source_.bytes.size(), progress()));
    }
    refuse(source_,
           fmt::format("JPEG is damaged near byte {} ({}; {}); get a clean copy of the file",
                       position(), progress(), errors_.message()));
  }

  std::size_t position() const {
    return source_.bytes.size() - (jpeg_.src != nullptr ? jpeg_.src->bytes_in_buffer : 0);
  }

  std::string progress() const {
    if (!header_is_read_) return "in its header";
    return fmt::format("{} of {} rows are whole", jpeg_.output_scanline, jpeg_.image_height);
  }

  /// jpeg_mem_src would go on with a made-up end marker.
  static boolean on_end_of_bytes(j_decompress_ptr jpeg) {
    ERREXIT(jpeg, JERR_INPUT_EOF);
    return FALSE;  // never reached, but libjpeg's types do not say so
  }

  static void on_progress(j_common_ptr jpeg) {
    const auto decompress = reinterpret_cast<j_decompress_ptr>(jpeg);
    if (decompress->input_scan_number > kMostScans) ERREXIT(decompress, JERR_BAD_PROGRESSION);
  }

  const Source& source_;
  Errors errors_;
  jpeg_decompress_struct jpeg_{};
  jpeg_progress_mgr progress_{};
  bool header_is_read_ = false;
};

class JpegWriter {
 public:
  JpegWriter(const Image& image, Sink& sink, const WriteOptions& options)
      : image_(image), sink_(sink), options_(options), row_(image.width * image.channels) {
    errors_.attach(jpeg_);
  }
  ~JpegWriter() { jpeg_destroy_compress(&jpeg_); }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;

  void write() {
    const bool done = errors_.guarded([&] {
      jpeg_create_compress(&jpeg_);
      set_destination();
      set_parameters();
      jpeg_start_compress(&jpeg_, TRUE);
      write_metadata();
      for (int y = 0; y < image_.height; ++y) {
        copy_row(image_, y, 8, row_.data());
        JSAMPROW row = row_.data();
        jpeg_write_scanlines(&jpeg_, &row, 1);
      }
      jpeg_finish_compress(&jpeg_);
    });
    if (done) return;
    if (failure_ != nullptr) std::rethrow_exception(failure_);
    throw WriteError(fmt::format("JPEG cannot be encoded: {}", errors_.message()));
  }

 private:
  void set_parameters() {
    jpeg_.image_width = static_cast<JDIMENSION>(image_.width);
    jpeg_.image_height = static_cast<JDIMENSION>(image_.height);
    jpeg_.input_components = image_.channels;
    jpeg_.in_color_space = image_.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&jpeg_);
    jpeg_set_quality(&jpeg_, options_.quality, TRUE);
    constexpr int kFullChromaFrom = 90;
    if (image_.channels == 3 && options_.quality >= kFullChromaFrom) {
      jpeg_.comp_info[0].h_samp_factor = 1;  // libjpeg's default of 2 makes chroma half as fine
      jpeg_.comp_info[0].v_samp_factor = 1;
    }
  }

  void write_metadata() {
    if (image_.exif.size() > kMostExifBytes) {
      if (options_.note) options_.note("JPEG takes 64 KB of EXIF; this picture's is left out");
    } else if (!image_.exif.empty()) {
      jpeg_write_m_header(&jpeg_, kExifMarker,
                          static_cast<unsigned>(kExifPrefix.size() + image_.exif.size()));
      for (const char letter : kExifPrefix) jpeg_write_m_byte(&jpeg_, letter);
      for (const std::uint8_t byte : image_.exif) jpeg_write_m_byte(&jpeg_, byte);
    }
    if (!image_.icc.empty()) {
      jpeg_write_icc_profile(&jpeg_, image_.icc.data(), static_cast<unsigned>(image_.icc.size()));
    }
  }

  void set_destination() {
    destination_.init_destination = on_start;
    destination_.empty_output_buffer = on_full_buffer;
    destination_.term_destination = on_finish;
    jpeg_.dest = &destination_;
    // Errors has client_data, so that the callbacks find the writer by the destination's place.
    destination_.writer = this;
  }

  struct Destination : jpeg_destination_mgr {
    JpegWriter* writer = nullptr;
  };
  static JpegWriter& self(j_compress_ptr jpeg) {
    return *static_cast<Destination*>(jpeg->dest)->writer;
  }

  void rewind() {
    destination_.next_output_byte = buffer_.data();
    destination_.free_in_buffer = buffer_.size();
  }

  void pass_on(std::size_t count) {
    try {
      sink_.write({buffer_.data(), count});
    } catch (...) {
      failure_ = std::current_exception();  // C frames lie between here and write()
    }
    rewind();
    if (failure_ != nullptr) ERREXIT(&jpeg_, JERR_FILE_WRITE);
  }

  static void on_start(j_compress_ptr jpeg) { self(jpeg).rewind(); }
  static boolean on_full_buffer(j_compress_ptr jpeg) {
    self(jpeg).pass_on(self(jpeg).buffer_.size());
    return TRUE;
  }
  static void on_finish(j_compress_ptr jpeg) {
    self(jpeg).pass_on(self(jpeg).buffer_.size() - jpeg->dest->free_in_buffer);
  }

  const Image& image_;
  Sink& sink_;
  const WriteOptions& options_;
  Errors errors_;
  jpeg_compress_struct jpeg_{};
  Destination destination_{};
  std::array<JOCTET, 1 << 16> buffer_;
  std::vector<std::uint8_t> row_;
  std::exception_ptr failure_;
};

bool recognises(Bytes bytes) { return starts_with(bytes, "\xFF\xD8\xFF"); }

ImageInfo probe(const Source& source) {
  JpegReader reader(source);
  ImageInfo info = reader.read_header();
  std::vector<std::uint8_t> exif = reader.exif();
  if (take_orientation(exif) >= 5) std::swap(info.width, info.height);
  return info;
}

Image decode(const Source& source) {
  JpegReader reader(source);
  const ImageInfo info = reader.read_header();
  Image image = make_image(info.width, info.height, info.channels, info.bits);
  image.format = ImageFormat::kJpeg;
  image.icc = reader.icc();
  image.exif = reader.exif();
  image.jpeg_quality = reader.quality();
  reader.read_pixels(image);
  apply_orientation(image, take_orientation(image.exif));
  return image;
}

void encode(const Image& image, Sink& sink, const WriteOptions& options) {
  if (image.width > JPEG_MAX_DIMENSION || image.height > JPEG_MAX_DIMENSION) {
    throw UsageError(fmt::format("JPEG holds {} pixels a side, the image is {} x {}; use .png",
                                 JPEG_MAX_DIMENSION, image.width, image.height));
  }
  JpegWriter(image, sink, options).write();
}

}  // namespace

const Codec kJpegCodec = {ImageFormat::kJpeg, " .jpg .jpeg ", 8,      false,
                          recognises,         probe,          decode, encode};

}  // namespace mend
