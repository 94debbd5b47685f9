#include <algorithm>
#include <cmath>

#include "layers/functions.h"
#include "restore/color.h"
#include "restore/image_file.h"
#include "train/as_image.h"
#include "train/degradation_steps.h"

namespace mend {
Degradation make_jpeg(StepParameters& parameters) {
  const Range quality = parameters.range("quality", 1, 100);
  const bool drawn_grid = parameters.word("grid", {"drawn", "corner"}, "drawn") == "drawn";
  return [=](const Tensor& x, const DegradationContext& context) {
    // A patch is a piece of a larger picture: its blocks of 8 x 8 start anywhere.
    constexpr int kBlock = 16;  // with halved chroma
    RandomStream& random = context.random;
    const int top = drawn_grid ? random.below(kBlock) : 0;
    const int left = drawn_grid ? random.below(kBlock) : 0;
    const Shape shape = x.shape();
    WriteOptions options;
    options.quality = static_cast<int>(std::lround(quality.draw(random)));
    const Image image = as_image(pad(x, {.top = top, .left = left}, PadMode::kReplicate));
    const std::vector<std::uint8_t> bytes = encode_image(image, ImageFormat::kJpeg, options);
    const Image decoded = decode_image(bytes, "degraded picture");
    return window_to_float(decoded, top, left, shape.h, shape.w);
  };
}

Degradation make_quantize(StepParameters&) {
  return [](const Tensor& x, const DegradationContext&) {
    return window_to_float(as_image(x), 0, 0, x.shape().h, x.shape().w);
  };
}

Degradation make_gray(StepParameters&) {
  return [](const Tensor& x, const DegradationContext&) {
    if (x.shape().c == 1) return x;
    const Tensor y = Tensor::empty(x.shape()), gray = luma(x, LumaRange::kFull);
    const float* from = gray.view<const float>().data;
    float* pixel = y.view<float>().data;
    for (std::int64_t i = 0; i < y.shape().pixels(); ++i, pixel += 3)
      std::fill_n(pixel, 3, from[i]);
    return y;
  };
}

}  // namespace mend
