#include "restore/color.h"

#include <fmt/format.h>

#include "engine/error.h"
#include "engine/parallel.h"

namespace mend {
namespace {

// BT.601: Y' = kRed·R + kGreen·G + kBlue·B; Cb and Cr are B - Y' and R - Y' scaled to -0.5 .. 0.5.
constexpr double kRed = 0.299, kGreen = 0.587, kBlue = 0.114;
constexpr double kCbSpan = 2 * (1 - kBlue);
constexpr double kCrSpan = 2 * (1 - kRed);
constexpr double kChromaZero = 128.0 / 255;

/// Y = black + luma · Y',  Cb = kChromaZero + chroma · (B - Y') / kCbSpan,  Cr likewise.
struct Scaling {
  double black, luma, chroma;
};

constexpr Scaling scaling_of(LumaRange range) {
  if (range == LumaRange::kFull) return {0.0, 1.0, 1.0};
  return {16.0 / 255, 219.0 / 255, 224.0 / 255};
}

struct YCbCr {
  double y, cb, cr;
};

YCbCr to_ycbcr(const float* rgb, const Scaling& scale) {
  const double y = kRed * rgb[0] + kGreen * rgb[1] + kBlue * rgb[2];
  return {scale.black + scale.luma * y, kChromaZero + scale.chroma * (rgb[2] - y) / kCbSpan,
          kChromaZero + scale.chroma * (rgb[0] - y) / kCrSpan};
}

void to_rgb(const YCbCr& from, const Scaling& scale, float* rgb) {
  const double y = (from.y - scale.black) / scale.luma;
  const double blue = y + (from.cb - kChromaZero) / scale.chroma * kCbSpan;
  const double red = y + (from.cr - kChromaZero) / scale.chroma * kCrSpan;
  rgb[0] = static_cast<float>(red);
  rgb[1] = static_cast<float>((y - kRed * red - kBlue * blue) / kGreen);
  rgb[2] = static_cast<float>(blue);
}

void require_channels(const Tensor& x, int channels, const char* function) {
  if (x.shape().c == channels) return;
  throw ShapeError(
      fmt::format("{}: takes {} channels, x is {}", function, channels, to_string(x.shape())));
}

/// work(pixel index n, h, w) for all pixels, rows on all threads.
template <class Work>
void for_each_pixel(const Shape& shape, Work work) {
  parallel_for(std::int64_t{shape.n} * shape.h, [&](std::int64_t row, int) {
    const int n = static_cast<int>(row / shape.h), h = static_cast<int>(row % shape.h);
    for (int w = 0; w < shape.w; ++w) work(n, h, w);
  });
}

}  // namespace

Tensor rgb_to_ycbcr(const Tensor& rgb, LumaRange range) {
  require_channels(rgb, 3, "rgb_to_ycbcr");
  const Scaling scale = scaling_of(range);
  const View<const float> from = rgb.view<const float>();
  Tensor ycbcr = Tensor::empty(rgb.shape());
  const View<float> to = ycbcr.view<float>();
  for_each_pixel(rgb.shape(), [&](int n, int h, int w) {
    const YCbCr value = to_ycbcr(from.pixel(n, h, w), scale);
    to(n, h, w, 0) = static_cast<float>(value.y);
    to(n, h, w, 1) = static_cast<float>(value.cb);
    to(n, h, w, 2) = static_cast<float>(value.cr);
  });
  return ycbcr;
}

Tensor ycbcr_to_rgb(const Tensor& ycbcr, LumaRange range) {
  require_channels(ycbcr, 3, "ycbcr_to_rgb");
  const Scaling scale = scaling_of(range);
  const View<const float> from = ycbcr.view<const float>();
  Tensor rgb = Tensor::empty(ycbcr.shape());
  const View<float> to = rgb.view<float>();
  for_each_pixel(ycbcr.shape(), [&](int n, int h, int w) {
    const float* value = from.pixel(n, h, w);
    to_rgb({value[0], value[1], value[2]}, scale, to.pixel(n, h, w));
  });
  return rgb;
}

Tensor luma(const Tensor& rgb, LumaRange range) {
  if (rgb.shape().c == 1) return rgb;
  require_channels(rgb, 3, "luma");
  const Scaling scale = scaling_of(range);
  const View<const float> from = rgb.view<const float>();
  const Shape shape = rgb.shape();
  Tensor y = Tensor::empty({shape.n, shape.h, shape.w, 1});
  const View<float> to = y.view<float>();
  for_each_pixel(shape, [&](int n, int h, int w) {
    to(n, h, w, 0) = static_cast<float>(to_ycbcr(from.pixel(n, h, w), scale).y);
  });
  return y;
}

Tensor replace_luma(const Tensor& rgb, const Tensor& y, LumaRange range) {
  require_channels(rgb, 3, "replace_luma");
  require_channels(y, 1, "replace_luma");
  const Shape shape = rgb.shape();
  if (y.shape() != Shape{shape.n, shape.h, shape.w, 1}) {
    throw ShapeError(fmt::format("replace_luma: the luma is {}, the colours are {}",
                                 to_string(y.shape()), to_string(shape)));
  }
  const Scaling scale = scaling_of(range);
  const View<const float> colour = rgb.view<const float>();
  const View<const float> bright = y.view<const float>();
  Tensor out = Tensor::empty(shape);
  const View<float> to = out.view<float>();
  for_each_pixel(shape, [&](int n, int h, int w) {
    YCbCr value = to_ycbcr(colour.pixel(n, h, w), scale);
    value.y = bright(n, h, w, 0);
    to_rgb(value, scale, to.pixel(n, h, w));
  });
  return out;
}

}  // namespace mend
