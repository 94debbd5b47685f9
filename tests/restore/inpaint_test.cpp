// Filling holes: what is known stays, what is filled is the network's.
#include "restore/inpaint.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "engine/error.h"
#include "layers/functions.h"
#include "models/registry.h"
#include "restore/mask.h"
#include "tests/restore/make_images.h"
#include "tests/restore/own_model.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

using namespace mend;
using namespace mend::test;

namespace {

Model fixture_model(const std::string& name) {
  return load_model(load_golden(data_path("goldens/" + name + ".safetensors")).weights);
}

/// Half bright everywhere: what it fills can be told from everything else.
Model gray_filler(int working_size = 0) {
  Model model = own_model("gray filler", TilePolicy::kWholeImage, [](const auto& inputs) {
    return std::vector<Tensor>{0.0f * inputs[0] + 0.5f};
  });
  model.traits.tasks = {"inpaint"};
  model.traits.condition = Condition::kMask;
  model.traits.inputs = {"input", "mask"};
  model.traits.working_size = working_size;
  return model;
}

/// DRUNet, which was trained to inpaint, so its checkpoint says.
Model nearby_filler() {
  Checkpoint checkpoint =
      load_golden(data_path("goldens/drunet/color_odd_replicate.safetensors")).weights;
  checkpoint.metadata["task"] = "inpaint";
  return load_model(checkpoint);
}

bool same_pixel(const Image& a, const Image& b, int y, int x) {
  const std::size_t bytes = static_cast<std::size_t>(a.channels * (a.bits / 8));
  return std::memcmp(a.row(y) + x * bytes, b.row(y) + x * bytes, bytes) == 0;
}

/// Known pixels of `result` have the bits of `image`; CHECKs it and returns how many holes differ.
int check_known_pixels(const Image& result, const Image& image, const Image& mask) {
  int changed = 0, broken = 0;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const bool same = same_pixel(result, image, y, x);
      (mask.row(y)[x] != 0 ? changed : broken) += same ? 0 : 1;
    }
  }
  CHECK(broken == 0);
  return changed;
}

}  // namespace

TEST_CASE("inpaint: known pixels keep their bits, 8 and 16, gray and colour, alpha too") {
  for (const Model& model : {fixture_model("lama/ngf2_oddw_generator_keys"), nearby_filler()}) {
    for (const int channels : {1, 2, 3, 4}) {
      for (const int bits : {8, 16}) {
        CAPTURE(model.name);
        CAPTURE(channels);
        CAPTURE(bits);
        const Image image = pattern_image(45, 38, channels, bits);
        Image mask = empty_mask(45, 38);
        add_hole(mask, {10, 12, 9, 11});
        add_hole(mask, {0, 0, 2, 3});
        const Image result = inpaint(model, image, mask, {});
        CHECK(result.channels == channels);
        CHECK(result.bits == bits);
        CHECK(check_known_pixels(result, image, mask) > 90);  // of 105
      }
    }
  }
}

TEST_CASE("inpaint: a network that looks nearby fills holes as in the whole picture, however cut") {
  const Model model = nearby_filler();
  const Image image = smooth_image(480, 190, 3);
  Image mask = empty_mask(480, 190);
  add_hole(mask, {83, 101, 9, 14});
  add_hole(mask, {120, 381, 30, 5});
  const Tensor picture = window_to_float(image, 0, 0, 190, 480);
  const Tensors inputs =
      network_inputs(model, picture, {.mask = mask_window(mask, {0, 0, 190, 480})});
  Image whole = image;
  store_float(whole, 0, 0, model.forward(inputs).front());
  TileOptions at_once, small_tiles, little_memory;
  at_once.mode = TileOptions::Mode::kOff;
  small_tiles.mode = TileOptions::Mode::kFixed;
  small_tiles.size = 32;
  little_memory.memory_bytes = 6'000'000;
  for (const TileOptions& options : {TileOptions(), at_once, small_tiles, little_memory}) {
    CAPTURE(options.size);
    CAPTURE(options.memory_bytes);
    const Image result = inpaint(model, image, mask, options);
    CHECK(check_known_pixels(result, image, mask) > 200);  // of 276
    int furthest = 0;  // a grey level where rounding tips the other way
    for (std::size_t i = 0; i < image.bytes.size(); ++i) {
      furthest = std::max(furthest, std::abs(int{result.bytes[i]} - int{whole.bytes[i]}));
    }
    CHECK(furthest <= 1);
  }
  TileOptions options;
  options.memory_bytes = 1000;
  CHECK_THROWS_AS(inpaint(model, image, mask, options), OutOfMemory);
}

TEST_CASE("inpaint: a network that looks nearby is given the surroundings of the holes alone") {
  Model model = nearby_filler();
  const Network fill = model.forward;
  Shape seen;
  model.forward = [&](const std::vector<Tensor>& inputs) {
    seen = inputs[0].shape();
    return fill(inputs);
  };
  const Image image = smooth_image(900, 40, 3);
  Image mask = empty_mask(900, 40);
  add_hole(mask, {5, 500, 9, 14});
  TileOptions options;
  options.eager = true;  // so that the last call is the run
  CHECK(check_known_pixels(inpaint(model, image, mask, options), image, mask) > 100);  // of 126
  CHECK(seen.w > 64);
  CHECK(seen.w < 500);
}

TEST_CASE("inpaint: LaMa's holes are what the network gives") {
  const Model lama = fixture_model("lama/ngf2_oddw_generator_keys");
  const Image image = smooth_image(48, 40, 3);
  Image mask = empty_mask(48, 40);
  add_hole(mask, {8, 8, 12, 20});
  const Image result = inpaint(lama, image, mask, {});
  const Tensor picture = window_to_float(image, 0, 0, 40, 48);
  const Tensor expected = lama.forward({picture, mask_window(mask, {0, 0, 40, 48})}).front();
  Image whole = image;
  store_float(whole, 0, 0, expected);
  CHECK(result.bytes == whole.bytes);
}

TEST_CASE("inpaint: what was transparent becomes opaque") {
  Image image = pattern_image(20, 20, 4, 8);
  for (int y = 0; y < 20; ++y)
    for (int x = 0; x < 20; ++x) image.row(y)[4 * x + 3] = x < 5 ? 0 : 255;
  const Image result = inpaint(gray_filler(), image, mask_from_alpha(image), {});
  CHECK(is_opaque(result));
  CHECK(result.row(3)[0] == 128);
}

TEST_CASE("inpaint: a network of one size sees a square around the hole, resized to its size") {
  Image image = make_image(700, 500, 3, 8);
  Image mask = empty_mask(700, 500);
  add_hole(mask, {300, 500, 60, 40});
  Shape seen;
  Model model = gray_filler(64);
  const Network fill = model.forward;
  model.forward = [&](const std::vector<Tensor>& inputs) {
    seen = inputs[0].shape();
    return fill(inputs);
  };
  const Image result = inpaint(model, image, mask, {});
  CHECK(seen == Shape{1, 64, 64, 3});
  CHECK(check_known_pixels(result, image, mask) == 60 * 40);
  CHECK(result.row(320)[3 * 520] == 128);
}

TEST_CASE("inpaint: MI-GAN fills holes in pictures of any size") {
  const Model migan = fixture_model("migan/tiny32");
  for (const auto& [width, height] : {std::pair{32, 32}, {90, 41}, {20, 150}}) {
    const Image image = pattern_image(width, height, 3, 8);
    Image mask = empty_mask(width, height);
    add_hole(mask, {5, 6, 10, 9});
    CHECK(check_known_pixels(inpaint(migan, image, mask, {}), image, mask) > 80);  // of 90
  }
}

TEST_CASE("inpaint: little memory narrows the view, and then reduces it") {
  const Model lama = fixture_model("lama/ngf2_oddw_generator_keys");
  const Image image = smooth_image(400, 300, 3);
  Image mask = empty_mask(400, 300);
  add_hole(mask, {100, 100, 16, 16});
  for (const std::int64_t memory : {4'000'000, 1'000'000}) {
    CAPTURE(memory);
    TileOptions options;
    options.memory_bytes = memory;
    CHECK(check_known_pixels(inpaint(lama, image, mask, options), image, mask) > 200);  // of 256
  }
  TileOptions options;
  options.memory_bytes = 1000;
  CHECK_THROWS_AS(inpaint(lama, image, mask, options), OutOfMemory);
}

TEST_CASE("inpaint: a mask without a hole leaves the picture as it is") {
  const Image image = pattern_image(20, 20, 3, 8);
  CHECK(inpaint(gray_filler(), image, empty_mask(20, 20), {}).bytes == image.bytes);
}

TEST_CASE("inpaint: refuses masks of another size and networks that fill no holes") {
  const Image image = pattern_image(20, 20, 3, 8);
  CHECK_THROWS_AS(inpaint(gray_filler(), image, empty_mask(20, 21), {}), UsageError);
  Model model = gray_filler();
  model.traits.condition = Condition::kNone;
  CHECK_THROWS_WITH_AS(inpaint(model, image, empty_mask(20, 20), {}),
                       "gray filler fills no holes; take one that is made for inpaint", UsageError);
}

TEST_CASE("outpaint: the picture lies where the borders say, and all around it is a hole") {
  const Image image = pattern_image(7, 5, 4, 16);
  const Canvas canvas = extended_canvas(image, {.left = 3, .top = 2, .right = 1, .bottom = 0});
  CHECK(canvas.picture.width == 11);
  CHECK(canvas.picture.height == 7);
  const Rectangle inner{2, 3, 5, 7};
  int holes = 0;
  for (int y = 0; y < 7; ++y)
    for (int x = 0; x < 11; ++x) {
      holes += canvas.mask.row(y)[x] != 0 ? 1 : 0;
      const bool inside = y >= inner.y && x >= inner.x && x < inner.x + inner.w;
      CHECK((canvas.mask.row(y)[x] == 0) == inside);
      if (inside) {
        CHECK(std::memcmp(canvas.picture.row(y) + 8 * x, image.row(y - 2) + 8 * (x - 3), 8) == 0);
      }
    }
  CHECK(holes == 11 * 7 - 7 * 5);
  const Image result = inpaint(gray_filler(), canvas.picture, canvas.mask, {});
  CHECK(check_known_pixels(result, canvas.picture, canvas.mask) == holes);
}

TEST_CASE("outpaint: refuses borders that add nothing or too much") {
  const Image image = pattern_image(7, 5, 3, 8);
  CHECK_THROWS_AS(extended_canvas(image, {}), UsageError);
  CHECK_THROWS_AS(extended_canvas(image, {-1, 0, 5, 0}), UsageError);
  CHECK_THROWS_AS(extended_canvas(image, {2'000'000'000, 2'000'000'000, 2'000'000'000, 0}),
                  UsageError);
}
