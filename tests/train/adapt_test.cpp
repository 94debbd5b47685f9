// Learning from one picture: adapt.h and what it is made of.
#include "train/adapt.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/parallel.h"
#include "restore/image_file.h"
#include "restore/mask.h"
#include "restore/metrics.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"
#include "tests/support/thrown.h"
#include "train/push_pull.h"
#include "train/random.h"
#include "train/single_picture.h"

namespace mend::test {
namespace {

/// 64 x 48 pixels of the sample photograph.
Image crop() {
  const Image sample = read_image(source_path("docs/images/sample.jpg"));
  Image part = make_image(64, 48, 3, 8);
  store_float(part, 0, 0, window_to_float(sample, 336, 128, 48, 64));
  return part;
}

Image half_missing(int width, int height) {
  Image mask = empty_mask(width, height);
  RandomStream random(4, 0);
  for (std::uint8_t& pixel : mask.bytes) pixel = random.chance(0.5) ? 255 : 0;
  return mask;
}

AdaptOptions quick(std::int64_t& steps) {
  AdaptOptions options;
  options.seconds = 1e6;
  options.most_steps = 60;
  options.progress = [&steps](const AdaptProgress& now) { steps = now.steps; };
  return options;
}

}  // namespace

TEST_CASE("push-pull: known pixels stay, the others lie between their neighbours") {
  const Tensor picture = Tensor::zeros({1, 9, 13, 2});
  std::vector<std::uint8_t> known;
  RandomStream random(1, 0);
  for (int i = 0; i < 9 * 13; ++i) {
    known.push_back(random.chance(0.3) ? 1 : 0);
    picture.view<float>().data[2 * i] =
        known.back() != 0 ? static_cast<float>(random.uniform(0.2, 0.6)) : 7;
    picture.view<float>().data[2 * i + 1] = known.back() != 0 ? 0.25f : 7;
  }
  const Tensor before = picture.clone();
  push_pull(picture, known);
  for (int i = 0; i < 9 * 13; ++i) {
    const float* now = picture.view<const float>().data + 2 * i;
    if (known[static_cast<std::size_t>(i)] != 0) {
      CHECK(now[0] == before.view<const float>().data[2 * i]);
    }
    CHECK(now[0] >= 0.2f);
    CHECK(now[0] <= 0.6f);
    CHECK(now[1] == doctest::Approx(0.25));  // a constant stays one
  }
}

TEST_CASE("push-pull: where nothing is known there is black") {
  const Tensor picture = Tensor::zeros({1, 5, 3, 1});
  push_pull(picture, std::vector<std::uint8_t>(15, 0));
  for (int i = 0; i < 15; ++i) CHECK(picture.view<const float>().data[i] == 0);
}

TEST_CASE(
    "known_l1_loss: pixels that are not known count nothing, the gradient is that of differences") {
  const float unknown = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = Tensor::from({1, 1, 2, 2}, std::vector<float>{1, 2, 3, 4});
  const Tensor target = Tensor::from({1, 1, 2, 2}, std::vector<float>{0.5f, unknown, 5, 4});
  const Loss loss = known_l1_loss(x, target);
  CHECK(loss.value == doctest::Approx((0.5 + 2 + 0) / 3));
  const float* gradient = loss.gradient.view<const float>().data;
  CHECK(gradient[0] == doctest::Approx(1.0 / 3));
  CHECK(gradient[1] == 0);
  CHECK(gradient[2] == doctest::Approx(-1.0 / 3));
  CHECK(gradient[3] == 0);
  const Loss none = known_l1_loss(x, Tensor::full({1, 1, 2, 2}, unknown));
  CHECK(none.value == 0);
  CHECK_THROWS_AS(known_l1_loss(x, Tensor::zeros({1, 2, 1, 2})), ShapeError);
}

TEST_CASE("adapt: missing pixels come back, the others keep their bits, on any number of threads") {
  const Image original = crop();
  const Image mask = half_missing(original.width, original.height);
  Image holed = original;
  for (int y = 0; y < holed.height; ++y)
    for (int x = 0; x < 3 * holed.width; ++x) {
      if (mask.row(y)[x / 3] != 0) holed.row(y)[x] = 255;
    }
  std::int64_t steps = 0;
  const int before = threads();
  set_threads(1);
  const Adapted one = adapt_inpaint(holed, mask, quick(steps));
  set_threads(2);
  const Adapted two = adapt_inpaint(holed, mask, quick(steps));
  set_threads(before);
  CHECK(one.image.bytes == two.image.bytes);
  CHECK(steps == 60);
  CHECK(one.learned.steps == 60);
  for (int y = 0; y < holed.height; ++y)
    for (int x = 0; x < 3 * holed.width; ++x) {
      if (mask.row(y)[x / 3] == 0) REQUIRE(one.image.row(y)[x] == original.row(y)[x]);
    }
  // The holes hold nothing of their own, and push-pull alone is the least it can do.
  const Tensor guess = window_to_float(holed, 0, 0, holed.height, holed.width).clone();
  std::vector<std::uint8_t> known;
  for (const std::uint8_t pixel : mask.bytes) known.push_back(pixel == 0 ? 1 : 0);
  push_pull(guess, known);
  Image pulled = holed;
  store_float(pulled, 0, 0, guess);
  CHECK(psnr(one.image, original).value > psnr(pulled, original).value + 0.3);
}

TEST_CASE("adapt: noise goes without anything else being known") {
  const Image original = crop();
  Image noisy = original;
  RandomStream random(9, 0);
  for (std::uint8_t& value : noisy.bytes) {
    value = static_cast<std::uint8_t>(
        std::clamp(std::lround(value + 25 * random.gaussian()), 0L, 255L));
  }
  std::int64_t steps = 0;
  const Adapted adapted = adapt_denoise(noisy, quick(steps));
  CHECK(psnr(adapted.image, original).value > psnr(noisy, original).value + 3);
}

TEST_CASE("adapt: enlarging gives the right size, and the time ends it") {
  AdaptOptions options;
  options.seconds = 0.01;
  const Adapted adapted = adapt_upscale(crop(), 2, options);
  CHECK(adapted.image.width == 128);
  CHECK(adapted.image.height == 96);
  CHECK(adapted.learned.steps == 1);
  CHECK_FALSE(adapted.stopped_early);
}

TEST_CASE("adapt: ten looks without a gain end it") {
  const Pairs pairs{Tensor::full({1, 16, 16, 3}, 0.5f), Tensor::full({1, 16, 16, 3}, 0.5f)};
  Lesson lesson;
  lesson.task = "restore";
  lesson.architecture = "dncnn";
  lesson.hyperparameters = {{"cls", "DnCNN"}, {"in_nc", 3}, {"out_nc", 3},
                            {"nc", 4},        {"nb", 3},    {"act_mode", "R"}};
  lesson.pairs = [&](std::int64_t) { return pairs; };
  lesson.held_out = {pairs.input,
                     Tensor::full({1, 16, 16, 3}, std::numeric_limits<float>::quiet_NaN())};
  AdaptOptions options;
  options.seconds = 1e6;
  const Learned learned = learn(lesson, options);
  CHECK(learned.stopped_early);
  CHECK(learned.progress.steps == 500);
}

TEST_CASE("adapt: what makes no sense is refused") {
  const Image picture = crop(), tiny = make_image(12, 40, 3, 8);
  const AdaptOptions options;
  const auto refused = [](const auto& call) { return thrown<UsageError>(call); };
  CHECK(refused([&] { adapt_inpaint(picture, empty_mask(64, 48), options); }).find("no hole") !=
        std::string::npos);
  CHECK(refused([&] { adapt_denoise(tiny, options); }).find("12x40 is too small") !=
        std::string::npos);
  CHECK(refused([&] { adapt_upscale(picture, 5, options); }).find("x5") != std::string::npos);
  CHECK(refused([&] { adapt_upscale(tiny, 2, options); }).find("too small") != std::string::npos);
  Image all = empty_mask(64, 48);
  for (std::uint8_t& pixel : all.bytes) pixel = 255;
  CHECK(refused([&] { adapt_inpaint(picture, all, options); }).find("only 0 pixels") !=
        std::string::npos);
}

}  // namespace mend::test
