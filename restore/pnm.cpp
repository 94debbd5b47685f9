// Netpbm's formats: PBM, PGM and PPM, plain (P1 P2 P3) and raw (P4 P5 P6), and PAM (P7).
// http://netpbm.sourceforge.net/doc/pnm.html, .../pam.html
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "restore/codec.h"

namespace mend {
namespace {

struct Header {
  int kind = 0;  ///< the digit after the P
  std::int64_t width = 0, height = 0;
  std::int64_t channels = 1;
  std::int64_t white = 1;  ///< the value of full intensity, 1..65535
  std::size_t pixels_at = 0;

  bool plain() const { return kind >= 1 && kind <= 3; }
  bool bitmap() const { return kind == 1 || kind == 4; }
  ImageFormat format() const { return kind == 7 ? ImageFormat::kPam : ImageFormat::kPnm; }
};

bool is_space(std::uint8_t letter) { return letter == ' ' || (letter >= '\t' && letter <= '\r'); }

/// Words and numbers of the text part, comments skipped.
class Text {
 public:
  Text(const Source& source, std::size_t at) : source_(source), at_(at) {}

  std::size_t position() const { return at_; }

  std::string_view word() {
    skip_space();
    const std::size_t begin = at_;
    while (at_ < source_.bytes.size() && !is_space(source_.bytes[at_])) ++at_;
    if (at_ == begin) truncated();
    return {reinterpret_cast<const char*>(source_.bytes.data()) + begin, at_ - begin};
  }

  /// A decimal number below 2^31.
  std::int64_t number() {
    const std::string_view digits = word();
    std::int64_t value = 0;
    for (const char digit : digits) {
      if (digit < '0' || digit > '9' || value > 0x7FFFFFFF / 10) {
        refuse(source_, fmt::format("PNM has no number before byte {}; write the file again", at_));
      }
      value = value * 10 + (digit - '0');
    }
    return value;
  }

  /// One digit 0 or 1 of a plain bitmap, where spaces may be left out.
  int binary_digit() {
    skip_space();
    if (at_ == source_.bytes.size()) truncated();
    const std::uint8_t digit = source_.bytes[at_++];
    if (digit != '0' && digit != '1') {
      refuse(source_,
             fmt::format("PBM has neither 0 nor 1 at byte {}; write the file again", at_ - 1));
    }
    return digit - '0';
  }

  /// The one white space that ends a header.
  void end_header() {
    if (at_ == source_.bytes.size()) truncated();
    ++at_;
  }

 private:
  void skip_space() {
    for (; at_ < source_.bytes.size(); ++at_) {
      if (source_.bytes[at_] == '#') {
        while (at_ < source_.bytes.size() && source_.bytes[at_] != '\n') ++at_;
        if (at_ == source_.bytes.size()) return;
      } else if (!is_space(source_.bytes[at_])) {
        return;
      }
    }
  }

  [[noreturn]] void truncated() const {
    refuse(source_, fmt::format("PNM is truncated at byte {}; get a complete copy of the file",
                                source_.bytes.size()));
  }

  const Source& source_;
  std::size_t at_;
};

void read_pam_fields(Text& text, const Source& source, Header& header) {
  header.channels = 0;
  for (std::string_view key = text.word(); key != "ENDHDR"; key = text.word()) {
    if (key == "WIDTH") {
      header.width = text.number();
    } else if (key == "HEIGHT") {
      header.height = text.number();
    } else if (key == "DEPTH") {
      header.channels = text.number();
    } else if (key == "MAXVAL") {
      header.white = text.number();
    } else if (key == "TUPLTYPE") {
      text.word();  // DEPTH says enough
    } else {
      refuse(source, "PAM has an unknown header line; write the file again");
    }
  }
}

Header read_header(const Source& source) {
  Header header;
  header.kind = source.bytes[1] - '0';
  Text text(source, 2);
  if (header.kind == 7) {
    read_pam_fields(text, source, header);
  } else {
    header.width = text.number();
    header.height = text.number();
    header.channels = header.kind % 3 == 0 ? 3 : 1;
    if (!header.bitmap()) header.white = text.number();
  }
  text.end_header();
  header.pixels_at = text.position();
  check_extents(source, header.format(), header.width, header.height);
  if (header.channels < 1 || header.channels > 4 || header.white < 1 || header.white > 65535) {
    refuse(source,
           fmt::format("{} has {} channels up to {}; 1 to 4 channels up to 65535 can be read",
                       name_of(header.format()), header.channels, header.white));
  }
  return header;
}

ImageInfo info_of(const Header& header) {
  ImageInfo info;
  info.width = static_cast<int>(header.width);
  info.height = static_cast<int>(header.height);
  info.channels = static_cast<int>(header.channels);
  info.bits = header.white > 255 ? 16 : 8;
  info.format = header.format();
  return info;
}

/// Scales 0..white to all of 8 or 16 bits and writes it as value number `k` of the image.
void put(Image& image, std::size_t k, std::int64_t value, std::int64_t white) {
  const std::int64_t full = image.bits == 16 ? 65535 : 255;
  const std::int64_t scaled = (std::min(value, white) * full + white / 2) / white;
  if (image.bits == 8) {
    image.bytes[k] = static_cast<std::uint8_t>(scaled);
  } else {
    const auto integer = static_cast<std::uint16_t>(scaled);
    std::memcpy(image.bytes.data() + 2 * k, &integer, sizeof integer);
  }
}

void read_plain(const Source& source, const Header& header, Image& image) {
  Text text(source, header.pixels_at);
  const std::size_t values = static_cast<std::size_t>(image.pixels()) * image.channels;
  for (std::size_t k = 0; k < values; ++k) {
    const std::int64_t value = header.bitmap() ? 1 - text.binary_digit() : text.number();
    put(image, k, value, header.white);
  }
}

void read_bitmap(const Source& source, const Header& header, Image& image) {
  const std::size_t row_bytes = (static_cast<std::size_t>(header.width) + 7) / 8;
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* row = source.bytes.data() + header.pixels_at + y * row_bytes;
    for (int x = 0; x < image.width; ++x) {
      const bool black = (row[x / 8] >> (7 - x % 8) & 1) != 0;
      image.row(y)[x] = black ? 0 : 255;
    }
  }
}

void read_raw(const Source& source, const Header& header, Image& image) {
  const std::size_t values = static_cast<std::size_t>(image.pixels()) * image.channels;
  const Bytes pixels = source.bytes.subspan(header.pixels_at);
  if (header.white == 255) {
    std::memcpy(image.bytes.data(), pixels.data(), values);
    return;
  }
  const int bytes = image.bits / 8;
  for (std::size_t k = 0; k < values; ++k) {
    put(image, k, big_endian(pixels, k * bytes, bytes), header.white);
  }
}

/// Refuses a file that is too short for its pixels, before memory is spent on them.
void check_length(const Source& source, const Header& header) {
  const std::uint64_t values = std::uint64_t(header.width * header.channels) * header.height;
  std::uint64_t needed = values * (header.white > 255 ? 2 : 1);
  if (header.plain()) needed = values;  // a digit each at least
  if (header.kind == 4) needed = std::uint64_t((header.width + 7) / 8) * header.height;
  const std::size_t there = source.bytes.size() - header.pixels_at;
  if (there < needed) {
    refuse(source, fmt::format("{} is truncated at byte {} ({} bytes of pixels are missing); get a "
                               "complete copy of the file",
                               name_of(header.format()), source.bytes.size(), needed - there));
  }
}

bool has_magic(Bytes bytes, char first, char last) {
  return bytes.size() >= 3 && bytes[0] == 'P' && bytes[1] >= first && bytes[1] <= last &&
         (is_space(bytes[2]) || bytes[2] == '#');
}
bool recognises_pnm(Bytes bytes) { return has_magic(bytes, '1', '6'); }
bool recognises_pam(Bytes bytes) { return has_magic(bytes, '7', '7'); }

ImageInfo probe(const Source& source) { return info_of(read_header(source)); }

Image decode(const Source& source) {
  const Header header = read_header(source);
  check_length(source, header);
  const ImageInfo info = info_of(header);
  Image image = make_image(info.width, info.height, info.channels, info.bits);
  image.format = info.format;
  if (header.plain()) {
    read_plain(source, header, image);
  } else if (header.kind == 4) {
    read_bitmap(source, header, image);
  } else {
    read_raw(source, header, image);
  }
  return image;
}

void write_text(Sink& sink, const std::string& text) {
  sink.write({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

void write_rows(const Image& image, Sink& sink, int bits) {
  std::vector<std::uint8_t> row(static_cast<std::size_t>(image.width) * image.channels *
                                (bits / 8));
  for (int y = 0; y < image.height; ++y) {
    copy_row(image, y, bits, row.data());
    if (bits == 16 && std::endian::native == std::endian::little) {
      for (std::size_t k = 0; k < row.size(); k += 2) std::swap(row[k], row[k + 1]);
    }
    sink.write(row);
  }
}

void encode_pnm(const Image& image, Sink& sink, const WriteOptions& options) {
  write_text(sink, fmt::format("{}\n{} {}\n{}\n", image.channels == 1 ? "P5" : "P6", image.width,
                               image.height, options.bits == 16 ? 65535 : 255));
  write_rows(image, sink, options.bits);
}

void encode_pam(const Image& image, Sink& sink, const WriteOptions& options) {
  constexpr std::string_view kTypes[] = {"GRAYSCALE", "GRAYSCALE_ALPHA", "RGB", "RGB_ALPHA"};
  write_text(
      sink, fmt::format("P7\nWIDTH {}\nHEIGHT {}\nDEPTH {}\nMAXVAL {}\nTUPLTYPE {}\nENDHDR\n",
                        image.width, image.height, image.channels, options.bits == 16 ? 65535 : 255,
                        kTypes[image.channels - 1]));
  write_rows(image, sink, options.bits);
}

}  // namespace

const Codec kPnmCodec = {
    ImageFormat::kPnm, " .ppm .pgm .pnm ", 16, false, recognises_pnm, probe, decode, encode_pnm};
const Codec kPamCodec = {ImageFormat::kPam, " .pam ", 16,     true,
                         recognises_pam,    probe,    decode, encode_pam};

}  // namespace mend
