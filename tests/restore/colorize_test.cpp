// Colours for gray pictures.
#include "restore/colorize.h"

#include <doctest/doctest.h>

#include "engine/error.h"
#include "layers/functions.h"
#include "models/registry.h"
#include "restore/lab.h"
#include "tests/restore/make_images.h"
#include "tests/restore/own_model.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

using namespace mend;
using namespace mend::test;

namespace {

/// A colorizer that gives every pixel the same a* and b*; it may take hints, which it returns.
Model painter(float a, float b, Colour colour = Colour::kLightness) {
  Model model = own_model("painter", TilePolicy::kWholeImage, {});
  model.traits.tasks = {"colorize"};
  model.traits.colour = colour;
  model.traits.white = colour == Colour::kLightness ? 100.0f : 1.0f;
  model.traits.working_size = 16;
  model.traits.condition = Condition::kColourHints;
  model.forward = [a, b](const std::vector<Tensor>& inputs) {
    if (inputs.size() == 3) return std::vector<Tensor>{inputs[1]};
    const Tensor none = 0.0f * slice_channels(inputs[0], 0, 1);
    return std::vector<Tensor>{concat({none + a, none + b})};
  };
  return model;
}

Tensor lab_of(const Image& image) {
  return rgb_to_lab(window_to_float(image, 0, 0, image.height, image.width));
}

/// A gray ramp without the ends, so that small a* and b* stay inside sRGB.
Image gray_ramp(int width, int height, int channels, int bits) {
  Image image = make_image(width, height, channels, bits);
  for (int y = 0; y < height; ++y) {
    Tensor row = Tensor::empty({1, 1, width, image.colour_channels()});
    const View<float> view = row.view<float>();
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < view.shape.c; ++c) {
        view(0, 0, x, c) =
            0.3f + 0.4f * static_cast<float>(x + y) / static_cast<float>(width + height);
      }
    store_float(image, y, 0, row);
    if (image.has_alpha()) store_alpha_float(image, y, 0, Tensor::full({1, 1, width, 1}, 0.5f));
  }
  return image;
}

}  // namespace

TEST_CASE("colorize: lightness stays, colours are the network's, gray becomes RGB") {
  for (const int channels : {1, 2, 3, 4}) {
    for (const Colour colour : {Colour::kLightness, Colour::kGrayLightness}) {
      CAPTURE(channels);
      const Image image = gray_ramp(70, 90, channels, 16);
      const Image result = colorize(painter(9, -7, colour), image, {});
      CHECK(result.channels == (image.has_alpha() ? 4 : 3));
      CHECK(result.bits == 16);
      const Tensor lab = lab_of(result);
      const Tensor before = lightness(window_to_float(image, 0, 0, 90, 70));
      CHECK(max_error(lab.channels(0, 1).clone(), before) <= 0.01);
      CHECK(max_error(lab.channels(1, 1).clone(), Tensor::full({1, 90, 70, 1}, 9)) <= 0.02);
      CHECK(max_error(lab.channels(2, 1).clone(), Tensor::full({1, 90, 70, 1}, -7)) <= 0.02);
      CHECK(max_error(alpha_to_float(result, 0, 0, 90, 70), alpha_to_float(image, 0, 0, 90, 70)) <=
            0);
    }
  }
}

TEST_CASE("colorize: networks see the lightness as they were trained on it") {
  const Image image = gray_ramp(64, 64, 1, 8);
  for (const Colour colour : {Colour::kLightness, Colour::kGrayLightness}) {
    Model model = painter(0, 0, colour);
    const Network paint = model.forward;
    Tensor seen;
    model.forward = [&](const std::vector<Tensor>& inputs) {
      seen = inputs[0];
      return paint(inputs);
    };
    ColorizeOptions options;
    options.run.eager = true;
    colorize(model, image, options);
    CHECK(seen.shape() == Shape{1, 16, 16, colour == Colour::kLightness ? 1 : 3});
    const Tensor bright = lightness(window_to_float(image, 30, 30, 4, 4));
    const float middle = seen.view<const float>()(0, 8, 8, 0);
    const float expected = bright.view<const float>()(0, 2, 2, 0);
    if (colour == Colour::kLightness) {
      CHECK(middle == doctest::Approx(expected).epsilon(0.03));
    } else {
      CHECK(middle ==
            doctest::Approx(window_to_float(image, 32, 32, 1, 1).view<const float>()(0, 0, 0, 0))
                .epsilon(0.03));
    }
  }
}

TEST_CASE("colorize: a strength below 1 pales the colours") {
  const Image result = colorize(painter(8, 8), gray_ramp(40, 40, 3, 16), {.strength = 0.5f});
  CHECK(max_error(lab_of(result).channels(1, 2).clone(), Tensor::full({1, 40, 40, 2}, 4)) <= 0.02);
}

TEST_CASE("colorize: hints reach the network as the a*b* of their colours, where they are opaque") {
  const Image image = gray_ramp(32, 32, 1, 16);
  Image hints = make_image(32, 32, 4, 8);
  for (int y = 8; y < 16; ++y)
    for (int x = 8; x < 16; ++x) {
      std::uint8_t* pixel = hints.row(y) + 4 * x;
      pixel[0] = 180;
      pixel[1] = 120;
      pixel[2] = 110;
      pixel[3] = 255;
    }
  // The painter returns the hints as its colours.
  const Tensor lab = lab_of(colorize(painter(0, 0), image, {.hints = &hints}));
  const float rgb[] = {180 / 255.0f, 120 / 255.0f, 110 / 255.0f};
  const Tensor wanted = rgb_to_lab(Tensor::from({1, 1, 1, 3}, rgb));
  const View<const float> found = lab.view<const float>(), colour = wanted.view<const float>();
  for (int c : {1, 2}) {
    CHECK(found(0, 12, 12, c) == doctest::Approx(colour(0, 0, 0, c)).epsilon(0.02));
    CHECK(std::abs(found(0, 28, 28, c)) < 0.05f);
  }
}

TEST_CASE("colorize: the published networks run on pictures of any size") {
  for (const char* name : {"eccv16/eccv16_odd", "siggraph17/siggraph17_hints", "ddcolor/tiny"}) {
    CAPTURE(name);
    const std::string path = data_path("goldens/" + std::string(name) + ".safetensors");
    const Model model = load_model(load_golden(path).weights);
    const Image image = gray_ramp(61, 45, 1, 8);
    const Image result = colorize(model, image, {});
    CHECK(result.width == 61);
    CHECK(result.channels == 3);
  }
}

TEST_CASE("colorize: refuses what does not fit") {
  const Image image = gray_ramp(32, 32, 1, 8);
  Image hints = make_image(31, 32, 4, 8);
  CHECK_THROWS_AS(colorize(painter(0, 0), image, {.hints = &hints}), UsageError);
  hints = make_image(32, 32, 3, 8);
  CHECK_THROWS_WITH_AS(colorize(painter(0, 0), image, {.hints = &hints}),
                       "the hints have no transparent pixel, so they leave nothing to the network",
                       UsageError);
  hints = make_image(32, 32, 4, 8);
  Model model = painter(0, 0);
  model.traits.condition = Condition::kNone;
  CHECK_THROWS_WITH_AS(colorize(model, image, {.hints = &hints}),
                       "painter takes no colour hints; SIGGRAPH17 does", UsageError);
  model.traits.colour = Colour::kRgb;
  CHECK_THROWS_AS(colorize(model, image, {}), UsageError);
}
