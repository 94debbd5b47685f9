#include <algorithm>
#include <cmath>

#include "restore/image_file.h"
#include "train/degradation_steps.h"

namespace mend {
namespace {

/// The rectangle from (top, left) on, its pixels beyond the border repeated from the edge.
Tensor edge_padded(const Tensor& x, int top, int left, int height, int width) {
  const Shape shape = x.shape();
  Tensor y = Tensor::empty({1, height, width, shape.c});
  for (int p = 0; p < height; ++p)
    for (int q = 0; q < width; ++q) {
      const int row = std::clamp(p - top, 0, shape.h - 1);
      const int column = std::clamp(q - left, 0, shape.w - 1);
      std::copy_n(x.view<const float>().pixel(0, row, column), shape.c,
                  y.view<float>().pixel(0, p, q));
    }
  return y;
}

Image image_of(const Tensor& x) {
  Image image = make_image(x.shape().w, x.shape().h, x.shape().c, 8);
  store_float(image, 0, 0, x);
  return image;
}

}  // namespace

Degradation make_jpeg(StepParameters& parameters) {
  const Range quality = parameters.range("quality", 1, 100);
  return [=](const Tensor& x, const DegradationContext& context) {
    // A patch is a piece of a larger picture: its blocks of 8 x 8 start anywhere.
    constexpr int kBlock = 16;  // with halved chroma
    RandomStream& random = context.random;
    const int top = random.below(kBlock), left = random.below(kBlock);
    const Shape shape = x.shape();
    WriteOptions options;
    options.quality = static_cast<int>(std::lround(quality.draw(random)));
    const Image image = image_of(edge_padded(x, top, left, shape.h + top, shape.w + left));
    const std::vector<std::uint8_t> bytes = encode_image(image, ImageFormat::kJpeg, options);
    const Image decoded = decode_image(bytes, "degraded picture");
    return window_to_float(decoded, top, left, shape.h, shape.w);
  };
}

Degradation make_quantize(StepParameters&) {
  return [](const Tensor& x, const DegradationContext&) {
    return window_to_float(image_of(x), 0, 0, x.shape().h, x.shape().w);
  };
}

Degradation make_gray(StepParameters&) {
  return [](const Tensor& x, const DegradationContext&) {
    if (x.shape().c == 1) return x;
    Tensor y = x.clone();
    float* pixel = y.view<float>().data;
    for (std::int64_t i = 0; i < y.shape().pixels(); ++i, pixel += 3) {
      const float luma = 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2];
      std::fill_n(pixel, 3, luma);
    }
    return y;
  };
}

}  // namespace mend
