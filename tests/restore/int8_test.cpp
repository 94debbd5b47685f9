// Networks in int8: how far they are from f32, and that nothing but the picture changes them.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/error.h"
#include "engine/parallel.h"
#include "kernels/conv2d/conv2d.h"
#include "layers/functions.h"
#include "models/registry.h"
#include "restore/image_file.h"
#include "restore/restore.h"
#include "restore/tiled_network.h"
#include "tests/restore/own_model.h"
#include "tests/restore/small_network.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"
#include "weights/checkpoint.h"

using namespace mend;
using namespace mend::test;

namespace {

Tensor waves(int h, int w) {
  const Tensor x = Tensor::empty({1, h, w, 3});
  for (int i = 0; i < h; ++i)
    for (int j = 0; j < w; ++j)
      for (int c = 0; c < 3; ++c) {
        x.view<float>()(0, i, j, c) = static_cast<float>(
            0.5 + 0.3 * std::sin(0.31 * i + 0.17 * j * (c + 1)) + 0.2 * std::sin(0.02 * i * j));
      }
  return x;
}

TileOptions int8() {
  TileOptions options;
  options.precision = Precision::kInt8;
  return options;
}

double psnr(const Tensor& x, const Tensor& z) {
  double sum = 0;
  for (std::int64_t i = 0; i < x.shape().elements(); ++i) {
    const double a = std::clamp(x.view<const float>().data[i], 0.0f, 1.0f);
    const double b = std::clamp(z.view<const float>().data[i], 0.0f, 1.0f);
    sum += (a - b) * (a - b);
  }
  return -10 * std::log10(sum / static_cast<double>(x.shape().elements()));
}

Tensor middle_of(const Image& image, int side) {
  return window_to_float(image, (image.height - side) / 2, (image.width - side) / 2, side, side);
}

}  // namespace

TEST_CASE("int8: a network with sums around its layers is near f32") {
  const Tensor x = waves(70, 90);
  const SmallNetwork network;
  const double db = psnr(run_tiled(network, x, int8()), run_tiled(network, x, {}));
  CHECK(db >= 50);
  CHECK(db < 120);  // something did run on 8 bits
}

TEST_CASE("int8: tiles give the bits of the whole picture, on one thread and on two") {
  const Tensor x = waves(211, 230);
  const SmallNetwork network;
  TileOptions tiles = int8();
  tiles.mode = TileOptions::Mode::kFixed;
  tiles.size = 60;
  const Tensor whole = run_tiled(network, x, int8());
  on_one_and_two_threads([&](int) {
    CHECK(identical(run_tiled(network, x, int8()), whole));
    CHECK(identical(run_tiled(network, x, tiles), whole));
  });
}

TEST_CASE("int8: small pictures are calibrated on all of them, large ones in nine places") {
  CHECK(calibration_patches(70, 90).size() == 1);
  CHECK(calibration_patches(512, 768).size() == 9);
  CHECK(calibration_patches(70, 90)[0].h == 70);
  CHECK(calibration_patches(70, 90)[0].w == 90);
  const std::vector<Rectangle> narrow = calibration_patches(1000, 150);
  REQUIRE(narrow.size() == 6);
  CHECK(narrow[0].x == 0);
  CHECK(narrow[1].x + narrow[1].w == 150);
  const std::vector<Rectangle> patches = calibration_patches(1000, 192);
  REQUIRE(patches.size() == 6);
  for (const Rectangle& r : patches) {
    CHECK(r.y >= 0);
    CHECK(r.x >= 0);
    CHECK(r.y + r.h <= 1000);
    CHECK(r.x + r.w <= 192);
    CHECK(r.h == patches[0].h);
    CHECK(r.w == patches[0].w);
  }
}

TEST_CASE("int8: a network without a layer for it is refused, and so is eager") {
  const Network blur = [](const std::vector<Tensor>& in) {
    return std::vector<Tensor>{box_mean(in[0], 3, 3)};
  };
  CHECK_THROWS_AS(run_tiled(blur, waves(40, 40), int8()), UsageError);
  TileOptions eager = int8();
  eager.eager = true;
  CHECK_THROWS_AS(run_tiled(SmallNetwork(), waves(40, 40), eager), UsageError);
}

TEST_CASE("int8: SRVGG general x4 is within 42 dB of f32 on photos") {
  const std::string weights =
      shared_path("weights/realesr_general_x4v3/RealESRGAN_General_x4_v3.param");
  if (!require_data(weights)) return;
  const Model model = load_model(read_checkpoint(weights));
  for (const char* photo : {"01", "05", "08", "13", "19", "23"}) {
    const std::string path = shared_path(fmt::format("images/Kodak_6/kodim{}.png", photo));
    if (!require_data(path)) return;
    CAPTURE(photo);
    const Tensor x = middle_of(read_image(path), 144);
    std::vector<std::vector<Tensor>> samples;
    for (const Rectangle& r : calibration_patches(144, 144)) {
      samples.push_back({x.crop(r.y, r.x, r.h, r.w)});
    }
    const Calibration calibration = calibrate(model.forward, samples);
    Plan f32(model.forward, {x.shape()}),
        in_8_bits(model.forward, {x.shape()}, nullptr, {&calibration});
    CHECK(psnr(in_8_bits({x})[0], f32({x})[0]) >= 42);
  }
}
