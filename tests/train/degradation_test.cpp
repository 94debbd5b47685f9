#include "train/degradation.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "engine/error.h"
#include "tests/support/guarded.h"
#include "tests/support/thrown.h"
#include "train/filter.h"

namespace mend::test {
namespace {

/// A colour gradient with a few edges, all values well inside [0,1].
Tensor picture(int height = 40, int width = 52) {
  const Tensor x = Tensor::empty({1, height, width, 3});
  float* value = x.view<float>().data;
  for (int h = 0; h < height; ++h)
    for (int w = 0; w < width; ++w)
      for (int c = 0; c < 3; ++c) {
        const bool block = (h / 8 + w / 8) % 2 == 0;
        *value++ = 0.3f + 0.004f * static_cast<float>(h + c * 7) + (block ? 0.2f : 0.0f);
      }
  return x;
}

Tensor degraded(const std::string& list, const Tensor& x, std::uint64_t sample = 0) {
  RandomStream random(7, sample);
  return make_degradation(Json::parse(list))(x, {random, x.shape().h / 2, x.shape().w / 2});
}

struct Statistics {
  double mean = 0, deviation = 0;
};
Statistics difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double sum = 0, squares = 0;
  const auto count = static_cast<double>(a.shape().elements());
  for (std::int64_t i = 0; i < a.shape().elements(); ++i) {
    const double d = double{a.view<const float>().data[i]} - b.view<const float>().data[i];
    sum += d;
    squares += d * d;
  }
  return {sum / count, std::sqrt(squares / count - sum * sum / (count * count))};
}

}  // namespace

TEST_CASE("degradation: every step makes another picture, the same one for the same sample") {
  const std::vector<std::string> kSteps = {
      R"({"do": "gaussian_noise", "sigma": [5, 30], "gray": 0.5})",
      R"({"do": "poisson_noise", "photons": [10, 200]})",
      R"({"do": "camera_noise", "shot": 0.01, "read": 0.02})",
      R"({"do": "blur", "shape": "gaussian", "deviation": [1, 3], "ratio": [0.3, 1]})",
      R"({"do": "blur", "shape": "motion", "length": [5, 15]})",
      R"({"do": "blur", "shape": "disc", "radius": [1, 4]})",
      R"({"do": "blur", "shape": "sinc", "cutoff": [1, 2]})",
      R"({"do": "sharpen", "amount": [0.5, 2], "deviation": [0.5, 1]})",
      R"({"do": "jpeg", "quality": [5, 30]})",
      R"({"do": "quantize"})",
      R"({"do": "gray"})",
      R"({"do": "darken", "gamma": [2, 4], "gain": [0.3, 0.9]})",
      R"({"do": "haze", "density": [1, 2]})",
      R"({"do": "rain", "amount": [0.01, 0.05]})",
      R"({"do": "shapes", "count": [3, 9], "size": [2, 12]})",
      R"({"do": "text", "lines": [2, 4], "size": [8, 14]})",
      R"({"do": "scratches", "count": [3, 5]})",
      R"({"do": "missing_pixels", "share": [0.2, 0.6]})",
      R"({"do": "holes", "share": 0.2, "size": [3, 9]})",
  };
  const Tensor x = picture(), original = x.clone();
  for (const std::string& step : kSteps) {
    CAPTURE(step);
    const Tensor y = degraded("[" + step + "]", x);
    REQUIRE(y.shape() == x.shape());
    CHECK(!identical(y, x));
    CHECK(identical(x, original));
    CHECK(identical(y, degraded("[" + step + "]", x)));
    const bool is_drawn = step.find('[') != std::string::npos;
    if (is_drawn) CHECK(!identical(y, degraded("[" + step + "]", x, 1)));
    for (std::int64_t i = 0; i < y.shape().elements(); ++i) {
      REQUIRE(std::isfinite(y.view<const float>().data[i]));
    }
  }
}

TEST_CASE("degradation: noise has the deviation that was asked for") {
  const Tensor x = Tensor::empty({1, 128, 128, 3});
  std::fill_n(x.view<float>().data, x.shape().elements(), 0.5f);
  const Statistics white = difference(degraded(R"([{"do": "gaussian_noise", "sigma": 25}])", x), x);
  CHECK(std::abs(white.mean) < 0.002);
  CHECK(white.deviation == doctest::Approx(25.0 / 255).epsilon(0.02));
  for (const double photons : {20.0, 400.0}) {  // by uniforms, and by the normal distribution
    CAPTURE(photons);
    const std::string step =
        R"([{"do": "poisson_noise", "photons": )" + std::to_string(photons) + "}]";
    const Statistics shot = difference(degraded(step, x), x);
    CHECK(std::abs(shot.mean) < 0.005);
    CHECK(shot.deviation == doctest::Approx(std::sqrt(0.5 / photons)).epsilon(0.03));
  }
}

TEST_CASE("degradation: sharpening adds what blur takes away, and stays between black and white") {
  const Tensor x = picture();
  const Tensor blurred = degraded(R"([{"do": "blur", "shape": "gaussian", "deviation": 0.8}])", x);
  const Tensor sharp = degraded(R"([{"do": "sharpen", "amount": 1.5, "deviation": 0.8}])", x);
  CHECK(identical(degraded(R"([{"do": "sharpen", "amount": 0}])", x), x));
  for (std::int64_t i = 0; i < x.shape().elements(); ++i) {
    const float from = x.view<const float>().data[i], soft = blurred.view<const float>().data[i];
    const float wanted = std::clamp(from + 1.5f * (from - soft), 0.0f, 1.0f);
    REQUIRE(sharp.view<const float>().data[i] == doctest::Approx(wanted).epsilon(1e-5));
  }
}

TEST_CASE(
    "degradation: shapes are of the picture's colours, hide it in part, and have soft edges") {
  const Tensor gray = Tensor::empty({1, 64, 64, 1});
  std::fill_n(gray.view<float>().data, gray.shape().elements(), 0.5f);
  CHECK(identical(degraded(R"([{"do": "shapes", "count": 0, "size": 5}])", gray), gray));
  const Tensor y = degraded(R"([{"do": "shapes", "count": 12, "size": [2, 20]}])", gray);
  int same = 0;
  for (std::int64_t i = 0; i < y.shape().elements(); ++i) {
    const float value = y.view<const float>().data[i];
    REQUIRE(value >= 0.1f);  // no more than 0.4 lighter or darker than the picture
    REQUIRE(value <= 0.9f);
    same += value == 0.5f ? 1 : 0;
  }
  CHECK(same > 64 * 64 / 10);
  CHECK(same < 64 * 64 * 19 / 20);
  // One shape of one colour: with an edge that is 8 pixels wide, no neighbours are as far apart as with a sharp one.
  const auto steepest = [&](const char* softness, std::uint64_t sample) {
    const Tensor one = degraded(
        std::string(R"([{"do": "shapes", "count": 1, "size": 14, "softness": )") + softness + "}]",
        gray, sample);
    float most = 0;
    for (int p = 0; p < 64; ++p)
      for (int q = 1; q < 64; ++q) {
        const View<const float> v = one.view<const float>();
        most = std::max(most, std::abs(v(0, p, q, 0) - v(0, p, q - 1, 0)));
      }
    return most;
  };
  double sharp = 0, soft = 0;
  for (std::uint64_t sample = 0; sample < 20; ++sample) {
    sharp += steepest("0.7", sample);
    soft += steepest("8", sample);
  }
  CHECK(soft < sharp / 3);
}

TEST_CASE("degradation: sizes follow scale and fit; nothing changes where the scale is 1") {
  const Tensor x = picture();
  CHECK(degraded(R"([{"do": "resize", "scale": 0.25, "filter": "matlab"}])", x).shape() ==
        Shape{1, 10, 13, 3});
  for (const char* filter : {"area", "bilinear", "bicubic", "nearest"}) {
    CAPTURE(filter);
    const std::string by = std::string(R"(, "filter": ")") + filter + R"("}])";
    CHECK(degraded(R"([{"do": "resize", "scale": 1.5)" + by, x).shape() == Shape{1, 60, 78, 3});
    CHECK(degraded(R"([{"do": "fit")" + by, x).shape() == Shape{1, 20, 26, 3});
    CHECK(identical(degraded(R"([{"do": "resize", "scale": 1)" + by, x), x));
  }
  // Halving by area is the mean of four pixels.
  const Tensor half = degraded(R"([{"do": "resize", "scale": 0.5, "filter": "area"}])", x);
  const View<const float> of = x.view<const float>();
  const float mean = (of(0, 6, 8, 1) + of(0, 6, 9, 1) + of(0, 7, 8, 1) + of(0, 7, 9, 1)) / 4;
  CHECK(half.view<const float>()(0, 3, 4, 1) == doctest::Approx(mean));
}

TEST_CASE(
    "degradation: kernels have sum 1, lie in the middle, and leave a plain picture as it is") {
  const Kernel kernels[] = {
      gaussian_kernel(2, 0.7, 0.4), motion_kernel(9, 1.1),   disc_kernel(3), disc_kernel(0),
      sinc_kernel(1.2, 21),         gaussian_kernel(0, 0, 0)};
  const Tensor plain = Tensor::empty({1, 30, 31, 2});
  std::fill_n(plain.view<float>().data, plain.shape().elements(), 0.25f);
  for (const Kernel& kernel : kernels) {
    CAPTURE(kernel.side);
    double sum = 0, across = 0, down = 0;
    for (int i = 0; i < kernel.side * kernel.side; ++i) {
      sum += kernel.weights[i];
      across += kernel.weights[i] * (i % kernel.side - kernel.side / 2);
      down += kernel.weights[i] * (i / kernel.side - kernel.side / 2);
    }
    CHECK(sum == doctest::Approx(1));
    CHECK(std::abs(across) < 1e-9);
    CHECK(std::abs(down) < 1e-9);
    CHECK(std::abs(difference(filter(plain, kernel), plain).mean) < 1e-6);
  }
}

TEST_CASE("degradation: one of several lists, by its weight") {
  const Tensor x = picture();
  const std::string list = R"([{"do": "any", "weights": [3, 1], "of": [[], [{"do": "gray"}]]}])";
  int changed = 0;
  for (std::uint64_t sample = 0; sample < 200; ++sample) {
    if (!identical(degraded(list, x, sample), x)) ++changed;
  }
  CHECK(changed > 30);
  CHECK(changed < 70);
}

TEST_CASE("degradation: a list that makes no sense is refused with its place") {
  const auto refused = [](const char* list) {
    return thrown<UsageError>([&] { make_degradation(Json::parse(list)); });
  };
  CHECK(refused(R"([{"do": "blurr"}])").find("degrade[0]: 'blurr' is no step") !=
        std::string::npos);
  CHECK(refused(R"([{"do": "jpeg"}])").find("needs 'quality'") != std::string::npos);
  CHECK(refused(R"([{"do": "jpeg", "quality": [90, 10]}])").find("lower number first") !=
        std::string::npos);
  CHECK(refused(R"([{"do": "gray"}, {"do": "gray", "amount": 1}])")
            .find("degrade[1] (gray): does not know 'amount'") != std::string::npos);
  CHECK(refused(R"([{"do": "any", "of": [[{"do": "rain", "amount": 7}]]}])")
            .find("degrade[0] (any).of[0][0] (rain)") != std::string::npos);
  CHECK(refused(R"({"do": "gray"})").find("must be a list") != std::string::npos);
}

}  // namespace mend::test
