// How networks of each kind are cut, and what happens when memory runs out in the middle.
#include "restore/tiled_network.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "engine/error.h"
#include "layers/functions.h"
#include "tests/support/compare.h"

using namespace mend;
using namespace mend::test;

namespace {

/// A network that sees one pixel around each, in f32 sums of a fixed order.
std::vector<Tensor> local_mean(const std::vector<Tensor>& x) {
  return {box_mean(x[0], 3, 3) * 0.5f + x[0]};
}
/// A network that sees everything.
std::vector<Tensor> brightness(const std::vector<Tensor>& x) {
  return {x[0] * global_average_pool(x[0])};
}

Tensor waves(int h, int w) {
  const Tensor x = Tensor::empty({1, h, w, 3});
  for (int i = 0; i < h; ++i) {
    for (int j = 0; j < w; ++j) {
      for (int c = 0; c < 3; ++c) {
        x.view<float>()(0, i, j, c) =
            static_cast<float>(0.5 + 0.4 * std::sin(0.11 * i + 0.07 * j * (c + 1)));
      }
    }
  }
  return x;
}

void copy_into(const Tensor& from, const Tensor& to) {
  for (int i = 0; i < to.shape().h; ++i) {
    for (int j = 0; j < to.shape().w; ++j) {
      for (int c = 0; c < 3; ++c) to.view<float>()(0, i, j, c) = from.view<float>()(0, i, j, c);
    }
  }
}

struct Result {
  Tensor pixels;
  Tiling tiling;
  int starts = 1;
};

/// Memory runs out when tile number `fails_at` is read, once.
Result run(const TileableNetwork& network, const Tensor& x, TileOptions options,
           int fails_at = -1) {
  Result result = {Tensor::zeros(x.shape()), {}, 1};
  int tile = 0;
  options.start_over = [&] { ++result.starts; };
  result.tiling = TiledNetwork(network).run(
      x.shape().h, x.shape().w, options,
      [&](const Rectangle& window, const Tensor& to) {
        if (tile++ == fails_at) throw OutOfMemory("there is none left");
        copy_into(x.crop(window.y, window.x, window.h, window.w), to);
      },
      [&](const Rectangle& output, const Tensor& pixels) {
        copy_into(pixels, result.pixels.crop(output.y, output.x, output.h, output.w));
      });
  return result;
}

TileOptions fixed(int size) {
  TileOptions options;
  options.mode = TileOptions::Mode::kFixed;
  options.size = size;
  return options;
}
TileOptions within(std::int64_t bytes) {
  TileOptions options;
  options.memory_bytes = bytes;
  return options;
}

}  // namespace

TEST_CASE("tiled network: a halo as wide as the network sees is exact, and nothing is blended") {
  const Tensor x = waves(150, 200);
  const Result tiled = run({.network = local_mean}, x, fixed(32));
  CHECK(tiled.tiling.exact);
  CHECK(tiled.tiling.cut.blend == 0);
  CHECK(std::string(tiled.tiling.kind()) == "exact");
  CHECK(std::string(tiled.tiling.statistics()) == "none");
  // A box mean's sums slide, so bits differ; a blend would not keep to 1e-6 at borders.
  CHECK(max_error(tiled.pixels, local_mean({x}).front()) <= 1e-6);
}

TEST_CASE("tiled network: one that sees everything is blended, and its steps are ramps") {
  const Tensor x = waves(150, 200);
  const Result tiled = run({.network = brightness}, x, fixed(64));
  CHECK_FALSE(tiled.tiling.exact);
  CHECK(tiled.tiling.cut.blend > 0);
  CHECK(std::string(tiled.tiling.kind()) == "blended");
  CHECK(std::string(tiled.tiling.statistics()) == "tile");
  const Result whole = run({.network = brightness}, x, {});
  CHECK(std::string(whole.tiling.statistics()) == "image");
  CHECK(max_error(whole.pixels, brightness({x}).front()) <= 0);
}

TEST_CASE("tiled network: the local variant runs where the image is cut, and only there") {
  const TileableNetwork network = {
      .network = brightness, .local = local_mean, .local_name = "its variant"};
  const Tensor x = waves(250, 300);
  const Result whole = run(network, x, {});
  CHECK_FALSE(whole.tiling.local);
  CHECK(max_error(whole.pixels, brightness({x}).front()) <= 0);
  const Result tiled = run(network, x, within(whole.tiling.arena_bytes - 1));
  CHECK(tiled.tiling.local);
  CHECK(std::string(tiled.tiling.statistics()) == "neighbourhood");
  CHECK(max_error(tiled.pixels, local_mean({x}).front()) <= 1e-6);
}

TEST_CASE("tiled network: blended tiles are even, keep to the memory and use it") {
  TiledNetwork network({.network = brightness});
  for (const std::int64_t bytes : {500'000, 2'000'000, 6'000'000}) {
    CAPTURE(bytes);
    const Tiling tiling = network.choose(540, 960, within(bytes));
    CHECK_FALSE(tiling.whole());
    CHECK(tiling.arena_bytes + tiling.constant_bytes <= bytes);
    CHECK(tiling.arena_bytes + tiling.constant_bytes > bytes / 3);
  }
  CHECK_THROWS_AS(network.choose(540, 960, within(1000)), OutOfMemory);
}

TEST_CASE("tiled network: when memory runs out in the middle, all begins again") {
  const Tensor x = waves(150, 200);
  for (const int fails_at : {0, 1, 5}) {
    CAPTURE(fails_at);
    for (const auto& network : {local_mean, brightness}) {
      const Result smooth = run({.network = network}, x, fixed(64));
      const Result again = run({.network = network}, x, fixed(128), fails_at);
      CHECK(again.starts == (fails_at < 4 ? 2 : 1));
      CHECK(std::min(again.tiling.cut.core_h, again.tiling.cut.core_w) ==
            (fails_at < 4 ? 64 : 128));
      const double same_network = max_error(again.pixels, smooth.pixels).value;
      CHECK(same_network <= (network == &local_mean ? 1e-6 : 0.1));
    }
  }
  TileOptions off;
  off.mode = TileOptions::Mode::kOff;
  CHECK_THROWS_AS(run({.network = local_mean}, x, off, 0), OutOfMemory);
}
