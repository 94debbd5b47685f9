// A picture in memory: integers as in its file, so that 96 megapixels cost 288 MB and not 1.2 GB.
// Networks see windows of it as f32 tensors; their results are rounded back into it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/tensor.h"

namespace mend {

/// Formats that can be read and written; kPnm is PPM, PGM and PBM.
enum class ImageFormat : std::uint8_t { kUnknown, kPng, kJpeg, kBmp, kPnm, kPam };

/// "PNG", "JPEG", ...
std::string_view name_of(ImageFormat format);

/// Upright pixels (any EXIF orientation is already applied) and what belongs to them.
struct Image {
  int width = 0, height = 0;
  int channels = 0;  ///< 1 gray, 2 gray + alpha, 3 RGB, 4 RGBA; alpha is not premultiplied
  /// Of each channel: 8 or 16; 32 are f32 in which 1 is white, neither rounded nor clipped: what
  /// pictures are between the steps of a chain. No file has them.
  int bits = 8;
  /// Rows from the top, channels side by side, no padding; 16-bit values in the machine's order.
  std::vector<std::uint8_t> bytes;

  ImageFormat format = ImageFormat::kUnknown;  ///< of the file that it came from
  std::vector<std::uint8_t> icc;               ///< ICC profile, or empty
  /// EXIF as a TIFF block ("II*\0..." or "MM\0*..."), without JPEG's "Exif\0\0" prefix; its
  /// orientation is 1 and its thumbnail, which shows the old pixels, is unlinked. Or empty.
  std::vector<std::uint8_t> exif;
  /// The quality on the IJG scale, 1 to 100, that a JPEG's quantisation table of luma comes from;
  /// 0: no JPEG.
  int jpeg_quality = 0;

  bool has_alpha() const { return channels == 2 || channels == 4; }
  int colour_channels() const { return has_alpha() ? channels - 1 : channels; }
  std::int64_t pixels() const { return std::int64_t{width} * height; }
  std::size_t row_bytes() const {
    return static_cast<std::size_t>(width) * static_cast<std::size_t>(channels * (bits / 8));
  }
  std::uint8_t* row(int y) { return bytes.data() + static_cast<std::size_t>(y) * row_bytes(); }
  const std::uint8_t* row(int y) const {
    return bytes.data() + static_cast<std::size_t>(y) * row_bytes();
  }
};

/// Black (and transparent) pixels. Throws OutOfMemory with the size that was asked for.
Image make_image(int width, int height, int channels, int bits);

/// Like make_image, but with the format, ICC profile and EXIF of `source`: a result's empty canvas.
/// The ICC profile is left out when gray became colour or colour gray.
Image make_image_like(const Image& source, int width, int height, int channels, int bits);

/// Rows [y, y+h) and columns [x, x+w) -> colour f32 [1,h,w,1 or 3] in [0,1]. Without alpha.
/// The window must lie inside the image.
Tensor window_to_float(const Image& image, int y, int x, int h, int w);

/// The same window's alpha -> f32 [1,h,w,1] in [0,1]; all 1 when the image has none.
Tensor alpha_to_float(const Image& image, int y, int x, int h, int w);

/// Writes colour f32 [1,h,w,1 or 3] with its top left pixel at (y,x); alpha stays as it is.
/// v -> round(clip(v, 0, 1) · 255 or 65535), halves to even, as NumPy and PyTorch round; with 32
/// bits as it is.
/// Throws NumericError if a value is NaN or infinite, ShapeError if the channels disagree.
void store_float(Image& image, int y, int x, const Tensor& colour);

/// Writes alpha f32 [1,h,w,1] likewise; the image must have an alpha channel.
void store_alpha_float(Image& image, int y, int x, const Tensor& alpha);

/// True when the image has no alpha channel, or one that hides nothing.
bool is_opaque(const Image& image);

/// The same picture without its alpha channel.
Image without_alpha(const Image& image);

/// Row `y` with 8, 16 or 32 bits a channel: v·257, round(v / 257), v / white, or as store_float.
void copy_row(const Image& image, int y, int bits, std::uint8_t* to);

/// The same picture with other bits a channel, by copy_row.
Image with_bits(const Image& image, int bits);

/// Undoes EXIF orientation 1..8 (the tag's value) in place; 1 changes nothing.
void apply_orientation(Image& image, int orientation);

}  // namespace mend
