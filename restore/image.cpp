#include "restore/image.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cassert>
#include <cstring>
#include <new>
#include <type_traits>

#include "engine/error.h"
#include "engine/parallel.h"
#include "restore/pixels.h"

namespace mend {
namespace {

[[maybe_unused]] bool is_inside(const Image& image, int y, int x, int h, int w) {
  return y >= 0 && x >= 0 && h > 0 && w > 0 && h <= image.height - y && w <= image.width - x;
}

template <class Number>
constexpr float kWhite = static_cast<float>(kFull<Number>);

/// The channels [first, first + count) of a window, scaled to [0,1].
Tensor channels_to_float(const Image& image, int y, int x, int h, int w, int first, int count) {
  assert(is_inside(image, y, x, h, w));
  Tensor out = Tensor::empty({1, h, w, count});
  with_number_of(image, [&](auto number) {
    using Number = decltype(number);
    const View<float> view = out.view<float>();
    parallel_for(h, [&](std::int64_t task, int) {
      const int row = static_cast<int>(task);
      float* to = view.pixel(0, row, 0);
      const std::uint8_t* from =
          image.row(y + row) +
          (static_cast<std::size_t>(x) * image.channels + first) * sizeof(Number);
      for (int column = 0; column < w; ++column, from += image.channels * sizeof(Number)) {
        for (int c = 0; c < count; ++c) {
          *to++ = static_cast<float>(load<Number>(from + c * sizeof(Number))) / kWhite<Number>;
        }
      }
    });
  });
  return out;
}

/// round(clip(value, 0, 1) · white), halves to even: adding 1.5 · 2^23 leaves a float no bit below
/// the units, so that the adder itself rounds. Twenty times as fast as a call of rintf.
/// As f32 the value itself.
template <class Number>
Number quantise(float value) {
  if constexpr (std::is_same_v<Number, float>) return value;
  const float scaled = std::min(std::max(value, 0.0f), 1.0f) * kWhite<Number>;
  return static_cast<Number>(std::bit_cast<std::uint32_t>(scaled + 0x1.8p23f));
}

/// Writes all channels of `values` to the channels [first, ...) of the image.
void store_channels(Image& image, int y, int x, const Tensor& values, int first) {
  const Shape shape = values.shape();
  assert(shape.n == 1 && is_inside(image, y, x, shape.h, shape.w));
  const View<const float> from = values.view<const float>();
  with_number_of(image, [&](auto number) {
    using Number = decltype(number);
    std::atomic<int> bad_row{-1};  // the body of parallel_for must not throw
    parallel_for(shape.h, [&](std::int64_t task, int) {
      const int row = static_cast<int>(task);
      std::uint8_t* to = image.row(y + row) +
                         (static_cast<std::size_t>(x) * image.channels + first) * sizeof(Number);
      float not_finite = 0;  // stays 0 unless a value is NaN or infinite: inf - inf is NaN
      for (int column = 0; column < shape.w; ++column, to += image.channels * sizeof(Number)) {
        const float* pixel = from.pixel(0, row, column);
        for (int c = 0; c < shape.c; ++c) {
          not_finite += pixel[c] - pixel[c];
          store(to + c * sizeof(Number), quantise<Number>(pixel[c]));
        }
      }
      if (not_finite != 0) bad_row = row;
    });
    if (bad_row >= 0) {
      throw NumericError(fmt::format(
          "image: row {} of the result has a value that is NaN or infinite; run in f32 or check "
          "the weights",
          y + bad_row.load()));
    }
  });
}

template <class From, class To>
To converted(From value) {
  if constexpr (std::is_same_v<From, float>) {
    return quantise<To>(value);
  } else if constexpr (std::is_same_v<To, float>) {
    return static_cast<float>(value) / kWhite<From>;
  } else if constexpr (sizeof(To) > sizeof(From)) {
    return static_cast<To>(value * 257u);
  } else if constexpr (sizeof(To) < sizeof(From)) {
    return static_cast<To>((value + 128u) / 257u);  // 257 · 255 = 65535; never halves
  } else {
    return value;
  }
}

}  // namespace

std::string_view name_of(ImageFormat format) {
  switch (format) {
    case ImageFormat::kPng:
      return "PNG";
    case ImageFormat::kJpeg:
      return "JPEG";
    case ImageFormat::kBmp:
      return "BMP";
    case ImageFormat::kPnm:
      return "PNM";
    case ImageFormat::kPam:
      return "PAM";
    case ImageFormat::kUnknown:
      break;
  }
  return "unknown";
}

Image make_image(int width, int height, int channels, int bits) {
  assert(width > 0 && height > 0 && channels >= 1 && channels <= 4);
  assert(bits == 8 || bits == 16 || bits == 32);
  Image image;
  image.width = width;
  image.height = height;
  image.channels = channels;
  image.bits = bits;
  // At most 2^31 · 2^31 · 4 · 4 = 2^66 bytes; checked before it is multiplied out.
  const std::size_t rows = static_cast<std::size_t>(height);
  if (image.row_bytes() > image.bytes.max_size() / rows) {
    throw OutOfMemory(
        fmt::format("image: {} x {} pixels are more than can be addressed", width, height));
  }
  try {
    image.bytes.resize(rows * image.row_bytes());
  } catch (const std::bad_alloc&) {
    throw OutOfMemory(fmt::format("image: no memory for {} x {} pixels ({} MiB)", width, height,
                                  (rows * image.row_bytes()) >> 20));
  }
  return image;
}

Image make_image_like(const Image& source, int width, int height, int channels, int bits) {
  Image image = make_image(width, height, channels, bits);
  image.format = source.format;
  if (image.colour_channels() == source.colour_channels()) image.icc = source.icc;
  image.exif = source.exif;
  image.jpeg_quality = source.jpeg_quality;
  return image;
}

Tensor window_to_float(const Image& image, int y, int x, int h, int w) {
  return channels_to_float(image, y, x, h, w, 0, image.colour_channels());
}

Tensor alpha_to_float(const Image& image, int y, int x, int h, int w) {
  if (!image.has_alpha()) return Tensor::full({1, h, w, 1}, 1.0f);
  return channels_to_float(image, y, x, h, w, image.colour_channels(), 1);
}

void store_float(Image& image, int y, int x, const Tensor& colour) {
  if (colour.shape().c != image.colour_channels()) {
    throw ShapeError(fmt::format("image: it has {} colour channels, the result is {}",
                                 image.colour_channels(), to_string(colour.shape())));
  }
  store_channels(image, y, x, colour, 0);
}

void store_alpha_float(Image& image, int y, int x, const Tensor& alpha) {
  if (!image.has_alpha() || alpha.shape().c != 1) {
    throw ShapeError(fmt::format("image: it has {} channels, the alpha is {}", image.channels,
                                 to_string(alpha.shape())));
  }
  store_channels(image, y, x, alpha, image.colour_channels());
}

bool is_opaque(const Image& image) {
  if (!image.has_alpha()) return true;
  bool opaque = true;
  with_number_of(image, [&](auto number) {
    using Number = decltype(number);
    const std::uint8_t* alpha = image.bytes.data() + image.colour_channels() * sizeof(Number);
    const std::size_t step = image.channels * sizeof(Number);
    for (std::int64_t k = 0; opaque && k < image.pixels(); ++k, alpha += step) {
      opaque = load<Number>(alpha) == kFull<Number>;
    }
  });
  return opaque;
}

Image without_alpha(const Image& image) {
  Image out =
      make_image_like(image, image.width, image.height, image.colour_channels(), image.bits);
  const std::size_t from_step = image.channels * (image.bits / 8);
  const std::size_t to_step = out.channels * (image.bits / 8);
  const std::uint8_t* from = image.bytes.data();
  std::uint8_t* to = out.bytes.data();
  for (std::int64_t k = 0; k < image.pixels(); ++k, from += from_step, to += to_step) {
    std::memcpy(to, from, to_step);
  }
  return out;
}

void copy_row(const Image& image, int y, int bits, std::uint8_t* to) {
  const std::size_t values = static_cast<std::size_t>(image.width) * image.channels;
  with_number_of(image, [&](auto from_number) {
    with_number_of(bits, [&](auto to_number) {
      using From = decltype(from_number);
      using To = decltype(to_number);
      const std::uint8_t* from = image.row(y);
      for (std::size_t k = 0; k < values; ++k) {
        store(to + k * sizeof(To), converted<From, To>(load<From>(from + k * sizeof(From))));
      }
    });
  });
}

Image with_bits(const Image& image, int bits) {
  Image out = make_image_like(image, image.width, image.height, image.channels, bits);
  for (int y = 0; y < image.height; ++y) copy_row(image, y, bits, out.row(y));
  return out;
}

void apply_orientation(Image& image, int orientation) {
  if (orientation <= 1 || orientation > 8) return;
  // EXIF 2.32, 4.6.4 A: what the file's first row and first column show. As a map from the upright
  // pixel to the stored one: transpose (5..8), then mirror rows, columns or both.
  const bool transpose = orientation >= 5;
  const bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  Image upright = make_image(transpose ? image.height : image.width,
                             transpose ? image.width : image.height, image.channels, image.bits);
  // Blocks of 64 x 64 pixels keep both sides of a transposition in the cache.
  constexpr int kBlock = 64;
  const std::size_t pixel = static_cast<std::size_t>(image.channels * (image.bits / 8));
  for (int y0 = 0; y0 < upright.height; y0 += kBlock) {
    for (int x0 = 0; x0 < upright.width; x0 += kBlock) {
      for (int y = y0; y < std::min(y0 + kBlock, upright.height); ++y) {
        for (int x = x0; x < std::min(x0 + kBlock, upright.width); ++x) {
          int from_y = transpose ? x : y;
          int from_x = transpose ? y : x;
          if (flip_y) from_y = image.height - 1 - from_y;
          if (flip_x) from_x = image.width - 1 - from_x;
          std::memcpy(upright.row(y) + x * pixel, image.row(from_y) + from_x * pixel, pixel);
        }
      }
    }
  }
  image.width = upright.width;
  image.height = upright.height;
  image.bytes = std::move(upright.bytes);
}

}  // namespace mend
