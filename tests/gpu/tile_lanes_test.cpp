// Tiles whose copies overlap with computing: in their order, with their own pixels, also where something fails.
#include "restore/tile_lanes.h"

#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <string>
#include <utility>

#include "engine/error.h"
#include "layers/functions.h"
#include "restore/tiled_network.h"
#include "tests/gpu/on_gpu.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {
namespace {

const Network kDoubled = [](const Tensors& given) { return Tensors{given[0] + given[0]}; };

void copy_into(const Tensor& from, const Tensor& to) {
  for_each_element(from.shape(), [&](int n, int h, int w, int c) {
    to.view<float>()(n, h, w, c) = from.view<const float>()(n, h, w, c);
  });
}

/// A picture of three channels on GPUs in tiles of 64; `at_read` and `at_write` are called first, with the number of the tile.
Tensor doubled(const Tensor& x, const std::function<void(int)>& at_read,
               const std::function<void(int)>& at_write, int* starts = nullptr,
               const Devices& devices = {&gpu(0)}) {
  TileOptions options;
  options.mode = TileOptions::Mode::kFixed;
  options.size = 64;
  options.devices = devices;
  options.start_over = [&] {
    if (starts != nullptr) ++*starts;
  };
  const Tensor y = Tensor::zeros(x.shape());
  int read = 0, written = 0;
  TiledNetwork({.network = kDoubled})
      .run(
          x.shape().h, x.shape().w, options,
          [&](const Rectangle& window, const Tensor& to) {
            at_read(read++);
            copy_into(x.crop(window.y, window.x, window.h, window.w), to);
          },
          [&](const Rectangle& at, const Tensor& pixels) {
            at_write(written++);
            copy_into(pixels, y.crop(at.y, at.x, at.h, at.w));
          });
  return y;
}

void nothing(int) {}

}  // namespace

TEST_CASE("tile lanes: results come in the order of starts, from plans of several sizes") {
  Plan small(kDoubled, {{1, 3, 5, 2}}, nullptr, {.device = &gpu(0)});
  Plan large(kDoubled, {{1, 7, 9, 2}}, nullptr, {.device = &gpu(0)});
  TileLanes lanes(gpu(0));
  Tensor last;
  for (std::uint32_t i = 0; i < 7; ++i) {
    CAPTURE(i);
    Plan& plan = i % 3 == 1 ? large : small;
    const Tensor x = random_tensor(plan.graph().values[plan.graph().inputs[0]].shape, i + 1);
    lanes.start(plan, [&](const Tensor& to) { copy_into(x, to); });
    if (last) CHECK(identical(lanes.finish(), last + last));
    last = x;
  }
  CHECK(identical(lanes.finish(), last + last));
  CHECK(TileLanes::device_bytes(small) == 2 * 2 * 3 * 5 * 2 * 4);
}

TEST_CASE("tile lanes: the next tile is read before the last one is written") {
  std::string order;
  const Tensor x = random_tensor({1, 200, 64, 3}, 1);
  const Tensor y = doubled(
      x, [&](int i) { order += "r" + std::to_string(i) + " "; },
      [&](int i) { order += "w" + std::to_string(i) + " "; });
  CHECK(order == "r0 r1 w0 r2 w1 r3 w2 w3 ");
  CHECK(identical(y, x + x));
}

TEST_CASE("tile lanes: of several GPUs each has a tile more under way") {
  std::string order;
  const Tensor x = random_tensor({1, 200, 64, 3}, 1);
  const Tensor y = doubled(
      x, [&](int i) { order += "r" + std::to_string(i) + " "; },
      [&](int i) { order += "w" + std::to_string(i) + " "; }, nullptr, {&gpu(0), &gpu(0, 1)});
  CHECK(order == "r0 r1 r2 w0 r3 w1 w2 w3 ");
  CHECK(identical(y, x + x));
}

TEST_CASE("tile lanes: memory that runs out while tiles are under way starts over") {
  const Tensor x = random_tensor({1, 200, 64, 3}, 1);
  bool failed = false;
  int starts = 1;
  const Tensor y = doubled(
      x,
      [&](int i) {
        if (i == 2 && !std::exchange(failed, true)) throw OutOfMemory("there is none left");
      },
      nothing, &starts);
  CHECK(starts == 2);
  CHECK(identical(y, x + x));
}

TEST_CASE("tile lanes: an error names the tile that it is of, not the next one") {
  const Tensor x = random_tensor({1, 200, 64, 3}, 1);
  x.view<float>()(0, 70, 5, 0) = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH_AS(doubled(x, nothing, nothing),
                       doctest::Contains("in the tile of rows 64..127"), NumericError);
}

TEST_CASE("tile lanes: what the receiver throws comes through") {
  const Tensor x = random_tensor({1, 200, 64, 3}, 1);
  CHECK_THROWS_WITH_AS(doubled(x, nothing,
                               [](int i) {
                                 if (i == 1) throw WriteError("no space");
                               }),
                       "no space", WriteError);
}

}  // namespace mend::test
