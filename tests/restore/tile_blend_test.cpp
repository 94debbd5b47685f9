// Tiles that overlap, put together by weights that sum to one.
#include "restore/tile_blend.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "engine/parallel.h"

using namespace mend;

namespace {

/// The value of a pixel in the tile number `tile`.
using Value = std::function<float(int tile, int y, int x)>;

/// The image that blending makes of tiles of these values; REQUIREs that every pixel is given once.
std::vector<float> together(int height, int width, const Cut& cut, const Value& value) {
  std::vector<float> image(static_cast<std::size_t>(height) * static_cast<std::size_t>(width));
  std::vector<int> times(image.size(), 0);
  TileBlend blend(width, [&](const Rectangle& output, const Tensor& pixels) {
    const View<const float> from = pixels.view<const float>();
    REQUIRE(from.shape == Shape{1, output.h, output.w, 1});
    for (int y = 0; y < output.h; ++y) {
      for (int x = 0; x < output.w; ++x) {
        const auto at = static_cast<std::size_t>((output.y + y) * width + output.x + x);
        image.at(at) = from(0, y, x, 0);
        ++times.at(at);
      }
    }
  });
  int number = 0;
  for (const Tile& tile : cut_tiles(height, width, cut)) {
    const Tensor pixels = Tensor::empty({1, tile.kept.h, tile.kept.w, 1});
    for (int y = 0; y < tile.kept.h; ++y) {
      for (int x = 0; x < tile.kept.w; ++x) {
        pixels.view<float>()(0, y, x, 0) = value(number, tile.kept.y + y, tile.kept.x + x);
      }
    }
    blend.add(tile.kept, tile.clear, pixels);
    ++number;
  }
  const auto [fewest, most] = std::minmax_element(times.begin(), times.end());
  REQUIRE(*fewest == 1);
  REQUIRE(*most == 1);
  return image;
}

struct Size {
  int height, width;
  Cut cut;
};
/// One tile, a last tile of one pixel, tiles narrower than two ramps, wide and tall cores.
const std::vector<Size>& awkward() {
  static const std::vector<Size> kSizes = {
      {40, 40, {64, 64, 16, 1, 4}}, {65, 129, {64, 64, 16, 1, 16}}, {70, 50, {16, 16, 16, 1, 16}},
      {33, 200, {33, 48, 8, 8, 8}}, {200, 33, {40, 33, 20, 4, 5}},  {61, 67, {7, 9, 3, 1, 3}},
      {100, 97, {32, 24, 0, 8, 0}}, {1, 300, {32, 32, 16, 1, 8}},   {47, 18, {8, 8, 5, 2, 1}}};
  return kSizes;
}

}  // namespace

TEST_CASE("tile blend: weights sum to one, so what all tiles agree on stays, to the bit") {
  for (const Size& size : awkward()) {
    CAPTURE(size.height);
    CAPTURE(size.width);
    const auto picture = [](int, int y, int x) {
      return static_cast<float>(std::sin(0.7 * y) + std::cos(1.3 * x));
    };
    const std::vector<float> image = together(size.height, size.width, size.cut, picture);
    int differ = 0;
    for (int y = 0; y < size.height; ++y) {
      for (int x = 0; x < size.width; ++x) {
        differ += image[static_cast<std::size_t>(y * size.width + x)] != picture(0, y, x);
      }
    }
    CHECK(differ == 0);
  }
}

TEST_CASE("tile blend: a disagreement becomes a ramp, as steep as it is wide") {
  // Four tiles of 64; the left pair says 0, the right pair 1, over 2 · 8 columns.
  const Cut cut = {64, 64, 16, 1, 8};
  const std::vector<float> image =
      together(128, 128, cut, [](int tile, int, int) { return tile % 2 == 0 ? 0.0f : 1.0f; });
  for (const int y : {0, 63, 64, 127}) {
    CAPTURE(y);
    for (int x = 0; x < 128; ++x) {
      const double expected = std::clamp((x - 56 + 0.5) / 16, 0.0, 1.0);
      CHECK(image[static_cast<std::size_t>(128 * y + x)] == doctest::Approx(expected));
    }
  }
}

TEST_CASE("tile blend: where four tiles meet, the weights are products") {
  const Cut cut = {64, 64, 16, 1, 8};
  for (int alone = 0; alone < 4; ++alone) {  // the weight of one tile of the four
    CAPTURE(alone);
    const std::vector<float> image =
        together(128, 128, cut, [&](int tile, int, int) { return tile == alone ? 1.0f : 0.0f; });
    for (const int y : {57, 63, 70}) {
      for (const int x : {56, 64, 71}) {
        const double down = (y - 56 + 0.5) / 16, across = (x - 56 + 0.5) / 16;
        const double weight =
            (alone >= 2 ? down : 1 - down) * (alone % 2 == 1 ? across : 1 - across);
        CHECK(image[static_cast<std::size_t>(128 * y + x)] == doctest::Approx(weight));
      }
    }
  }
}

TEST_CASE("tile blend: the same bits on one thread and two") {
  const int before = threads();
  const auto noise = [](int tile, int y, int x) {
    return static_cast<float>(std::sin(12.9 * tile + 78.2 * y + x));
  };
  for (const Size& size : awkward()) {
    set_threads(1);
    const std::vector<float> alone = together(size.height, size.width, size.cut, noise);
    set_threads(2);
    CHECK(together(size.height, size.width, size.cut, noise) == alone);
  }
  set_threads(before);
}
