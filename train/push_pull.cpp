#include "train/push_pull.h"

#include <algorithm>

namespace mend {
namespace {

/// Pixels, and whether each is known: 1, or 0.
struct Level {
  int height, width, channels;
  std::vector<float> values, weights;

  Level(int h, int w, int c)
      : height(h),
        width(w),
        channels(c),
        values(static_cast<std::size_t>(h) * static_cast<std::size_t>(w) *
               static_cast<std::size_t>(c)),
        weights(static_cast<std::size_t>(h) * static_cast<std::size_t>(w)) {}
  std::size_t at(int y, int x) const {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
           static_cast<std::size_t>(x);
  }
  float* pixel(int y, int x) {
    return values.data() + at(y, x) * static_cast<std::size_t>(channels);
  }
};

/// The mean of the known among 2 x 2 pixels; known if at least one of them is.
Level halved(Level& fine) {
  Level coarse((fine.height + 1) / 2, (fine.width + 1) / 2, fine.channels);
  for (int y = 0; y < fine.height; ++y)
    for (int x = 0; x < fine.width; ++x) {
      const float weight = fine.weights[fine.at(y, x)];
      coarse.weights[coarse.at(y / 2, x / 2)] += weight;
      for (int c = 0; c < fine.channels; ++c) {
        coarse.pixel(y / 2, x / 2)[c] += weight * fine.pixel(y, x)[c];
      }
    }
  for (int y = 0; y < coarse.height; ++y)
    for (int x = 0; x < coarse.width; ++x) {
      float& weight = coarse.weights[coarse.at(y, x)];
      if (weight == 0) continue;
      for (int c = 0; c < coarse.channels; ++c) coarse.pixel(y, x)[c] /= weight;
      weight = std::min(weight, 1.0f);
    }
  return coarse;
}

/// The bilinear value of `coarse` at pixel (y, x) of the level twice as fine.
float enlarged(Level& coarse, int y, int x, int c) {
  const int y0 = y / 2, y1 = std::clamp(y % 2 == 0 ? y0 - 1 : y0 + 1, 0, coarse.height - 1);
  const int x0 = x / 2, x1 = std::clamp(x % 2 == 0 ? x0 - 1 : x0 + 1, 0, coarse.width - 1);
  return 0.5625f * coarse.pixel(y0, x0)[c] + 0.1875f * coarse.pixel(y0, x1)[c] +
         0.1875f * coarse.pixel(y1, x0)[c] + 0.0625f * coarse.pixel(y1, x1)[c];
}

void fill(Level& level) {
  if (std::ranges::find(level.weights, 0.0f) == level.weights.end()) return;
  if (level.height == 1 && level.width == 1) return;  // nothing at all is known
  Level coarse = halved(level);
  fill(coarse);
  for (int y = 0; y < level.height; ++y)
    for (int x = 0; x < level.width; ++x) {
      if (level.weights[level.at(y, x)] > 0) continue;
      for (int c = 0; c < level.channels; ++c) level.pixel(y, x)[c] = enlarged(coarse, y, x, c);
    }
}

}  // namespace

void push_pull(const Tensor& picture, const std::vector<std::uint8_t>& known) {
  const Shape shape = picture.shape();
  Level level(shape.h, shape.w, shape.c);
  float* const values = picture.view<float>().data;
  std::copy_n(values, level.values.size(), level.values.begin());
  for (std::size_t i = 0; i < known.size(); ++i) level.weights[i] = known[i] != 0 ? 1.0f : 0.0f;
  fill(level);
  std::copy_n(level.values.begin(), level.values.size(), values);
}

}  // namespace mend
