#include "restore/side_by_side.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/error.h"

namespace mend {
namespace {

constexpr int kGap = 4;           // white pixels between the pictures
constexpr float kAmplify = 4.0f;  // 32 grey levels become 128

/// Row y as RGB in [0,1].
Tensor rgb_row(const Image& image, int y) { return window_to_float(image, y, 0, 1, image.width); }

float channel(const Tensor& row, int x, int c) {
  const View<const float> view = row.view<const float>();
  return view(0, 0, x, std::min(c, view.shape.c - 1));
}

}  // namespace

Image side_by_side(const Image& before, const Image& after) {
  if (before.width != after.width || before.height != after.height) {
    throw ShapeError(fmt::format("pictures of {}x{} and {}x{} cannot stand side by side",
                                 before.width, before.height, after.width, after.height));
  }
  const int width = before.width;
  Image all = make_image(3 * width + 2 * kGap, before.height, 3, 8);
  Tensor line = Tensor::empty({1, 1, all.width, 3});
  const View<float> out = line.view<float>();
  for (int y = 0; y < before.height; ++y) {
    std::fill_n(out.data, line.shape().elements(), 1.0f);
    const Tensor a = rgb_row(before, y), b = rgb_row(after, y);
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        const float first = channel(a, x, c), second = channel(b, x, c);
        out(0, 0, x, c) = first;
        out(0, 0, width + kGap + x, c) = second;
        out(0, 0, 2 * (width + kGap) + x, c) = 0.5f + kAmplify * (second - first);
      }
    }
    store_float(all, y, 0, line);
  }
  return all;
}

}  // namespace mend
