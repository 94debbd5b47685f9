#include "restore/tile_blend.h"

#include <algorithm>

#include "engine/parallel.h"

namespace mend {
namespace {

/// weight(h, w) of what is in `to` already.
template <class Weight>
void fade(const Tensor& from, const Tensor& to, const Weight& weight) {
  const View<const float> a = from.view<const float>();
  const View<float> b = to.view<float>();
  parallel_for(b.shape.h, [&](std::int64_t row, int) {
    const int h = static_cast<int>(row);
    for (int w = 0; w < b.shape.w; ++w) {
      const float* before = a.pixel(0, h, w);
      float* y = b.pixel(0, h, w);
      const float t = weight(h, w);
      for (int c = 0; c < b.shape.c; ++c) y[c] = before[c] + t * (y[c] - before[c]);
    }
  });
}

float ramp(int i, int n) { return (static_cast<float>(i) + 0.5f) / static_cast<float>(n); }

void copy(const Tensor& from, const Tensor& to) {
  const View<const float> x = from.view<const float>();
  const View<float> y = to.view<float>();
  parallel_for(y.shape.h, [&](std::int64_t row, int) {
    const int h = static_cast<int>(row);
    for (int w = 0; w < y.shape.w; ++w) {
      std::copy_n(x.pixel(0, h, w), y.shape.c, y.pixel(0, h, w));
    }
  });
}

}  // namespace

void fade_across(const Tensor& from, const Tensor& to) {
  fade(from, to, [n = to.shape().w](int, int w) { return ramp(w, n); });
}

void fade_down(const Tensor& from, const Tensor& to) {
  fade(from, to, [n = to.shape().h](int h, int) { return ramp(h, n); });
}

void TileBlend::add(const Rectangle& kept, const Rectangle& clear, const Tensor& pixels) {
  const int left = clear.x - kept.x, right = kept.w - left - clear.w;
  const int top = clear.y - kept.y, bottom = kept.h - top - clear.h;
  if (kept.x == 0) {
    above_ = std::move(below_);
    below_ = bottom > 0 ? Tensor::empty({1, bottom, width_, pixels.shape().c}) : Tensor();
  }
  if (left > 0) fade_across(left_, pixels.crop(0, 0, kept.h, left));
  left_ = right > 0 ? pixels.crop(0, kept.w - right, kept.h, right).clone() : Tensor();

  const int w = kept.w - right, h = kept.h - bottom;  // what this tile finishes
  if (top > 0) fade_down(above_.crop(0, kept.x, top, w), pixels.crop(0, 0, top, w));
  if (bottom > 0) copy(pixels.crop(h, 0, bottom, w), below_.crop(0, kept.x, bottom, w));
  sink_({kept.y, kept.x, h, w}, pixels.crop(0, 0, h, w));
}

}  // namespace mend
