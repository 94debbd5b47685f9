// The numbers of published tools, printed by tests/restore/metrics_expected.py.
#include <doctest/doctest.h>

#include <array>
#include <cmath>

#include "engine/error.h"
#include "engine/parallel.h"
#include "restore/metrics.h"
#include "tests/restore/make_images.h"
#include "tests/restore/metric_pictures.h"

using namespace mend;
using namespace mend::test;

namespace {

/// Whether both agree to `digits` places after the point.
bool agree(double value, double expected, int digits) {
  return std::abs(value - expected) <= 0.5 * std::pow(10, -digits);
}

}  // namespace

TEST_CASE("ssim: both conventions equal scikit-image 0.26.0 to 10 places") {
  const MetricPictures gray(61, 47, 1), colour(61, 47, 3);
  CHECK(agree(ssim(gray.test, gray.reference).value, 0.909906637382411, 10));
  CHECK(agree(ssim(colour.test, colour.reference).value, 0.9174266198773412, 10));
  const auto defaults = SsimConvention::kScikitImageDefaults;
  CHECK(agree(ssim(gray.test, gray.reference, {}, defaults).value, 0.9219048152721621, 10));
  CHECK(agree(ssim(colour.test, colour.reference, {}, defaults).value, 0.9294644266808523, 10));
}

TEST_CASE("ssim: the protocol names the convention") {
  const Image a = pattern_image(20, 20, 3, 8);
  CHECK(ssim(a, a).protocol ==
        "SSIM (MATLAB, Wang: Gaussian 11 x 11, inside), RGB, 8 bit, border 0");
  const Score defaults = ssim(a, a, {}, SsimConvention::kScikitImageDefaults);
  CHECK(defaults.protocol ==
        "SSIM (scikit-image defaults: uniform 7 x 7, sample variance), RGB, 8 bit, border 0");
  CHECK(defaults.value == doctest::Approx(1));
  const Image small = pattern_image(7, 7, 1, 8);
  CHECK_NOTHROW(ssim(small, small, {}, SsimConvention::kScikitImageDefaults));
  CHECK_THROWS_AS(ssim(small, small), ShapeError);
}

// pytorch-msssim computes its Gaussian in f32, which leaves 7 places.
TEST_CASE("ms-ssim: equals pytorch-msssim 1.0.0 to 6 places where all sides are even") {
  const MetricPictures gray(208, 176, 1), colour(208, 176, 3);
  CHECK(agree(ms_ssim(gray.test, gray.reference).value, 0.9929060599527899, 6));
  CHECK(agree(ms_ssim(colour.test, colour.reference).value, 0.9935067680752775, 6));
}

TEST_CASE("ms-ssim: 161 pixels a side are needed, and odd sides are mirrored") {
  const Image least = pattern_image(161, 161, 1, 8);
  CHECK(ms_ssim(least, least).value == doctest::Approx(1));
  CHECK_THROWS_AS(ms_ssim(pattern_image(160, 300, 1, 8), pattern_image(160, 300, 1, 8)),
                  ShapeError);
  CHECK_THROWS_AS(ms_ssim(least, least, {ScoredColours::kRgb, 1}), ShapeError);
  // The windows of pytorch-msssim 1.0.0 around 2 x 2 means with mirrored borders.
  const MetricPictures odd(207, 175, 1);
  CHECK(agree(ms_ssim(odd.test, odd.reference).value, 0.992899206806377, 6));
  const MetricPictures opposite(176, 176, 1);
  Image negative = opposite.reference;
  for (std::uint8_t& byte : negative.bytes) byte = static_cast<std::uint8_t>(255 - byte);
  CHECK(ms_ssim(negative, opposite.reference).value == 0);  // and not NaN
}

TEST_CASE("delta-e: CIEDE2000 has the 34 values of Sharma, Wu and Dalal's table to 4 places") {
  struct Row {
    std::array<double, 3> a, b;
    double expected;
  };
  const Row table[] = {
      {{50, 2.6772, -79.7751}, {50, 0, -82.7485}, 2.0425},
      {{50, 3.1571, -77.2803}, {50, 0, -82.7485}, 2.8615},
      {{50, 2.8361, -74.0200}, {50, 0, -82.7485}, 3.4412},
      {{50, -1.3802, -84.2814}, {50, 0, -82.7485}, 1.0000},
      {{50, -1.1848, -84.8006}, {50, 0, -82.7485}, 1.0000},
      {{50, -0.9009, -85.5211}, {50, 0, -82.7485}, 1.0000},
      {{50, 0, 0}, {50, -1, 2}, 2.3669},
      {{50, -1, 2}, {50, 0, 0}, 2.3669},
      {{50, 2.4900, -0.0010}, {50, -2.4900, 0.0009}, 7.1792},
      {{50, 2.4900, -0.0010}, {50, -2.4900, 0.0010}, 7.1792},
      {{50, 2.4900, -0.0010}, {50, -2.4900, 0.0011}, 7.2195},
      {{50, 2.4900, -0.0010}, {50, -2.4900, 0.0012}, 7.2195},
      {{50, -0.0010, 2.4900}, {50, 0.0009, -2.4900}, 4.8045},
      {{50, -0.0010, 2.4900}, {50, 0.0010, -2.4900}, 4.8045},
      {{50, -0.0010, 2.4900}, {50, 0.0011, -2.4900}, 4.7461},
      {{50, 2.5, 0}, {50, 0, -2.5}, 4.3065},
      {{50, 2.5, 0}, {73, 25, -18}, 27.1492},
      {{50, 2.5, 0}, {61, -5, 29}, 22.8977},
      {{50, 2.5, 0}, {56, -27, -3}, 31.9030},
      {{50, 2.5, 0}, {58, 24, 15}, 19.4535},
      {{50, 2.5, 0}, {50, 3.1736, 0.5854}, 1.0000},
      {{50, 2.5, 0}, {50, 3.2972, 0}, 1.0000},
      {{50, 2.5, 0}, {50, 1.8634, 0.5757}, 1.0000},
      {{50, 2.5, 0}, {50, 3.2592, 0.3350}, 1.0000},
      {{60.2574, -34.0099, 36.2677}, {60.4626, -34.1751, 39.4387}, 1.2644},
      {{63.0109, -31.0961, -5.8663}, {62.8187, -29.7946, -4.0864}, 1.2630},
      {{61.2901, 3.7196, -5.3901}, {61.4292, 2.2480, -4.9620}, 1.8731},
      {{35.0831, -44.1164, 3.7933}, {35.0232, -40.0716, 1.5901}, 1.8645},
      {{22.7233, 20.0904, -46.6940}, {23.0331, 14.9730, -42.5619}, 2.0373},
      {{36.4612, 47.8580, 18.3852}, {36.2715, 50.5065, 21.2231}, 1.4146},
      {{90.8027, -2.0831, 1.4410}, {91.1528, -1.6435, 0.0447}, 1.4441},
      {{90.9257, -0.5406, -0.9208}, {88.6381, -0.8985, -0.7239}, 1.5381},
      {{6.7747, -0.2908, -2.4247}, {5.8714, -0.0985, -2.2286}, 0.6377},
      {{2.0776, 0.0795, -1.1350}, {0.9033, -0.0636, -0.5514}, 0.9082},
  };
  for (const Row& row : table) {
    CAPTURE(row.expected);
    CAPTURE(row.b[1]);
    CHECK(agree(ciede2000(row.b, row.a), row.expected, 4));
    CHECK(agree(ciede2000(row.a, row.b), row.expected, 4));
  }
}

TEST_CASE("delta-e: the mean over a picture equals scikit-image 0.26.0 to 4 places") {
  const MetricPictures pair(61, 47, 3);
  CHECK(agree(delta_e(pair.test, pair.reference).value, 5.490903948075669, 4));
  CHECK(agree(delta_e(pair.test, pair.reference, {}, ColourDifference::kCie76).value,
              8.526953369493084, 4));
}

TEST_CASE("delta-e: equal pictures differ by 0, gray is neutral, and threads change nothing") {
  const MetricPictures pair(61, 47, 3);
  CHECK(delta_e(pair.test, pair.test).value == 0);
  const Image gray = pattern_image(30, 20, 1, 8);
  Image neutral = make_image(30, 20, 3, 8);
  for (std::size_t i = 0; i < neutral.bytes.size(); ++i) neutral.bytes[i] = gray.bytes[i / 3];
  CHECK(delta_e(gray, neutral).value == 0);
  CHECK(delta_e(with_bits(pair.test, 16), pair.reference).value ==
        delta_e(pair.test, pair.reference).value);
  CHECK(delta_e(gray, neutral, {ScoredColours::kRgb, 4}).protocol ==
        "delta-E (CIEDE2000, sRGB to Lab with D65, mean over pixels), RGB, 8 bit, border 4");
  CHECK_THROWS_AS(delta_e(pair.test, pair.test, {ScoredColours::kY, 0}), UsageError);
  CHECK_THROWS_AS(delta_e(pair.test, gray), ShapeError);
  const int before = threads();
  set_threads(1);
  const double alone = delta_e(pair.test, pair.reference).value;
  set_threads(2);
  CHECK(delta_e(pair.test, pair.reference).value == alone);
  set_threads(before);
}
