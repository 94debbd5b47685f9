#include "restore/metrics.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>

#include "engine/error.h"
#include "restore/image_file.h"
#include "restore/imresize.h"
#include "tests/restore/make_images.h"
#include "tests/support/paths.h"

using namespace mend;
using namespace mend::test;

TEST_CASE("metrics: bicubic Set5 x4 scores 28.43 dB and 0.811 on Y, as published") {
  double psnr_sum = 0, ssim_sum = 0;
  for (const char* name : {"baby", "bird", "butterfly", "head", "woman"}) {
    const std::string hr = shared_path(fmt::format("images/Set5/HR/{}.png", name));
    const std::string lr = shared_path(fmt::format("images/Set5/LR_bicubic/X4/{}x4.png", name));
    if (!require_data(hr) || !require_data(lr)) return;
    const Image reference = read_image(hr);
    const Image enlarged = imresize(read_image(lr), 4.0);
    const Protocol protocol{ScoredColours::kY, 4};
    psnr_sum += psnr(enlarged, reference, protocol).value;
    ssim_sum += ssim(enlarged, reference, protocol).value;
  }
  MESSAGE("bicubic Set5 x4: " << psnr_sum / 5 << " dB, SSIM " << ssim_sum / 5);
  CHECK(std::abs(psnr_sum / 5 - 28.43) <= 0.005);
  CHECK(std::abs(ssim_sum / 5 - 0.8104) <= 0.001);  // 0.8104 is published for 28.42 dB
}

TEST_CASE("metrics: classic5 in JPEG of quality 10 scores 27.82 dB, 0.7595 and 25.21 dB PSNR-B") {
  double psnr_sum = 0, ssim_sum = 0, psnr_b_sum = 0;
  for (const char* name : {"baboon", "barbara", "boats", "lena", "peppers"}) {
    const std::string path = shared_path(fmt::format("images/classic5/{}.png", name));
    if (!require_data(path)) return;
    const Image gray = read_image(path);
    REQUIRE(gray.channels == 1);
    const Image coded =
        decode_image(encode_image(gray, ImageFormat::kJpeg, {.quality = 10}), "coded.jpg");
    psnr_sum += psnr(coded, gray).value;
    ssim_sum += ssim(coded, gray).value;
    psnr_b_sum += psnr_b(coded, gray).value;
  }
  MESSAGE("classic5 q10: " << psnr_sum / 5 << " " << ssim_sum / 5 << " " << psnr_b_sum / 5);
  CHECK(std::abs(psnr_sum / 5 - 27.82) <= 0.005);
  CHECK(std::abs(ssim_sum / 5 - 0.7595) <= 0.00005);
  CHECK(std::abs(psnr_b_sum / 5 - 25.21) <= 0.005);
}

TEST_CASE("metrics: simple pictures have the scores of their formulas") {
  const Image a = pattern_image(40, 30, 3, 8);
  CHECK(std::isinf(psnr(a, a).value));
  CHECK(ssim(a, a).value == doctest::Approx(1));
  Image black = make_image(16, 16, 1, 8), gray = make_image(16, 16, 1, 8);
  for (std::uint8_t& byte : gray.bytes) byte = 10;
  CHECK(psnr(gray, black).value == doctest::Approx(10 * std::log10(255.0 * 255 / 100)));
  // Flat pictures of means 0 and 10: only the first factor, C1 / (100 + C1), is below 1.
  CHECK(ssim(gray, black).value == doctest::Approx(6.5025 / (100 + 6.5025)));
  CHECK(psnr_b(gray, black).value == doctest::Approx(psnr(gray, black).value));
  CHECK(psnr(with_bits(gray, 16), black).value == doctest::Approx(psnr(gray, black).value));
}

TEST_CASE("metrics: the border is left out") {
  const Image a = pattern_image(30, 30, 3, 8);
  Image b = a;
  for (int x = 0; x < 30; ++x) {
    for (int c = 0; c < 3; ++c) b.row(x)[c] ^= 0xFF, b.row(29)[3 * x + c] ^= 0xFF;
  }
  CHECK(psnr(a, b).value < 30);
  CHECK(std::isinf(psnr(a, b, {ScoredColours::kRgb, 1}).value));
  CHECK(std::isinf(psnr(a, b, {ScoredColours::kY, 1}).value));
}

TEST_CASE("metrics: only steps across blocks of 8 raise PSNR-B above the error") {
  const Image flat = make_image(32, 32, 1, 8);
  Image blocks = flat, stripes = flat;
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 32; ++x) {
      blocks.row(y)[x] = static_cast<std::uint8_t>((x / 8 + y / 8) % 2 * 8);
      stripes.row(y)[x] = static_cast<std::uint8_t>(((x + 4) / 8 + (y + 4) / 8) % 2 * 8);
    }
  }
  CHECK(psnr_b(blocks, flat).value < psnr(blocks, flat).value - 1);
  CHECK(psnr_b(stripes, flat).value == doctest::Approx(psnr(stripes, flat).value));
}

TEST_CASE("metrics: the protocol is told, and pictures that do not match are refused") {
  const Image colour = pattern_image(20, 20, 3, 8), gray = pattern_image(20, 20, 1, 8);
  CHECK(psnr(colour, colour, {ScoredColours::kY, 4}).protocol ==
        "PSNR, Y (BT.601 limited), 8 bit, border 4, dB");
  CHECK(ssim(gray, gray).protocol ==
        "SSIM (MATLAB, Wang: Gaussian 11 x 11, inside), gray, 8 bit, border 0");
  CHECK_NOTHROW(psnr(gray, colour, {ScoredColours::kY, 0}));
  CHECK_THROWS_AS(psnr(gray, colour), ShapeError);
  CHECK_THROWS_AS(psnr(colour, pattern_image(20, 21, 3, 8)), ShapeError);
  CHECK_THROWS_AS(psnr(colour, colour, {ScoredColours::kRgb, 10}), ShapeError);
  CHECK_THROWS_AS(ssim(colour, colour, {ScoredColours::kRgb, 5}), ShapeError);
  CHECK_THROWS_AS(psnr_b(colour, colour), UsageError);
}
