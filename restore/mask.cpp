#include "restore/mask.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "engine/error.h"
#include "restore/color.h"

namespace mend {
namespace {

constexpr std::uint8_t kHole = 255;

/// Each pixel of `line` (every `step`-th byte) becomes a hole if one lies within `reach` of it.
void grow_line(std::uint8_t* line, std::size_t step, int count, int reach,
               std::vector<std::uint8_t>& result) {
  result.assign(static_cast<std::size_t>(count), 0);
  int last = -reach - 1;  // the nearest hole before and behind
  for (int i = 0; i < count; ++i) {
    if (line[i * step] != 0) last = i;
    if (i - last <= reach) result[i] = kHole;
  }
  int next = count + reach;
  for (int i = count - 1; i >= 0; --i) {
    if (line[i * step] != 0) next = i;
    if (next - i <= reach) result[i] = kHole;
  }
  for (int i = 0; i < count; ++i) line[i * step] = result[i];
}

}  // namespace

Image empty_mask(int width, int height) { return make_image(width, height, 1, 8); }

Image mask_from_alpha(const Image& picture) {
  Image mask = empty_mask(picture.width, picture.height);
  for (int y = 0; y < picture.height; ++y) {
    const Tensor row = alpha_to_float(picture, y, 0, 1, picture.width);
    const View<const float> alpha = row.view<const float>();
    std::uint8_t* to = mask.row(y);
    for (int x = 0; x < picture.width; ++x) to[x] = alpha(0, 0, x, 0) < 1 ? kHole : 0;
  }
  return mask;
}

Image mask_from_picture(const Image& painted, bool inverted) {
  Image mask = empty_mask(painted.width, painted.height);
  for (int y = 0; y < painted.height; ++y) {
    const Tensor bright = luma(window_to_float(painted, y, 0, 1, painted.width), LumaRange::kFull);
    const Tensor opacity = alpha_to_float(painted, y, 0, 1, painted.width);
    const View<const float> value = bright.view<const float>(), alpha = opacity.view<const float>();
    std::uint8_t* to = mask.row(y);
    for (int x = 0; x < painted.width; ++x) {
      const bool light = value(0, 0, x, 0) * alpha(0, 0, x, 0) >= 0.5f;
      to[x] = light != inverted ? kHole : 0;
    }
  }
  return mask;
}

void add_hole(Image& mask, const Rectangle& hole) {
  // In 64 bits: a rectangle's far side may be beyond an int.
  const auto end = [](int start, int extent, int limit) {
    return static_cast<int>(std::clamp<std::int64_t>(std::int64_t{start} + extent, 0, limit));
  };
  const int left = std::clamp(hole.x, 0, mask.width), top = std::clamp(hole.y, 0, mask.height);
  const int right = end(hole.x, hole.w, mask.width), bottom = end(hole.y, hole.h, mask.height);
  for (int y = top; y < bottom; ++y) {
    if (right > left) std::fill(mask.row(y) + left, mask.row(y) + right, kHole);
  }
}

void add_holes(Image& mask, const Image& more) {
  if (more.width != mask.width || more.height != mask.height) {
    throw UsageError(fmt::format("the mask has {}x{} pixels, the picture {}x{}; they must agree",
                                 more.width, more.height, mask.width, mask.height));
  }
  std::ranges::transform(mask.bytes, more.bytes, mask.bytes.begin(),
                         [](std::uint8_t a, std::uint8_t b) { return std::max(a, b); });
}

Image grown(const Image& mask, int pixels) {
  Image wide = mask;
  if (pixels <= 0) return wide;
  std::vector<std::uint8_t> line;
  for (int y = 0; y < wide.height; ++y) grow_line(wide.row(y), 1, wide.width, pixels, line);
  for (int x = 0; x < wide.width; ++x) {
    grow_line(wide.row(0) + x, wide.row_bytes(), wide.height, pixels, line);
  }
  return wide;
}

Rectangle bounds_of_holes(const Image& mask) {
  int top = mask.height, bottom = -1, left = mask.width, right = -1;
  for (int y = 0; y < mask.height; ++y) {
    const std::uint8_t* row = mask.row(y);
    for (int x = 0; x < mask.width; ++x) {
      if (row[x] == 0) continue;
      top = std::min(top, y);
      bottom = y;
      left = std::min(left, x);
      right = std::max(right, x);
    }
  }
  if (bottom < 0) return {};
  return {top, left, bottom - top + 1, right - left + 1};
}

Tensor mask_window(const Image& mask, const Rectangle& window) {
  return window_to_float(mask, window.y, window.x, window.h, window.w);
}

}  // namespace mend
