#include "restore/exchange.h"

#include <algorithm>

#include "engine/parallel.h"
#include "layers/functions.h"

namespace mend {
namespace {

/// to = from · scale + offset; gray into RGB is the one channel three times.
void copy_affine(const Tensor& from, float scale, float offset, const Tensor& to) {
  const View<const float> x = from.view<const float>();
  const View<float> y = to.view<float>();
  parallel_for(y.shape.h, [&](std::int64_t row, int) {
    const int h = static_cast<int>(row);
    for (int w = 0; w < y.shape.w; ++w) {
      const float* source = x.pixel(0, h, w);
      float* target = y.pixel(0, h, w);
      for (int c = 0; c < y.shape.c; ++c) {
        target[c] = source[std::min(c, x.shape.c - 1)] * scale + offset;
      }
    }
  });
}

}  // namespace

void to_network(const Tensor& picture, const Traits& traits, const Tensor& to) {
  const Tensor pixels =
      traits.picture_channels() == 1 ? luma(picture, luma_range(traits)) : picture;
  copy_affine(pixels, traits.white - traits.black, traits.black, to);
}

Tensor to_network(const Tensor& picture, const Traits& traits) {
  const Shape& shape = picture.shape();
  const Tensor x = Tensor::empty({shape.n, shape.h, shape.w, traits.picture_channels()});
  to_network(picture, traits, x);
  return x;
}

Tensor from_network(const Tensor& result, const Traits& traits) {
  if (traits.black == 0 && traits.white == 1) return result;
  const Tensor pixels = Tensor::empty(result.shape());
  const float span = traits.white - traits.black;
  copy_affine(result, 1 / span, -traits.black / span, pixels);
  return pixels;
}

Tensor as_rgb(const Tensor& picture) {
  return picture.shape().c == 3 ? picture : concat({picture, picture, picture});
}

Tensor resized(const Tensor& x, int h, int w, ResampleMode mode, bool antialias) {
  if (x.shape().h == h && x.shape().w == w) return x;
  return apply(op::Resample{.mode = mode, .height = h, .width = w, .antialias = antialias}, {x});
}

}  // namespace mend
