// Where holes are read from.
#include "restore/mask.h"

#include <doctest/doctest.h>

#include "engine/error.h"

using namespace mend;

namespace {

/// The mask as text: # is a hole, rows are separated by slashes.
std::string drawn(const Image& mask) {
  std::string text;
  for (int y = 0; y < mask.height; ++y) {
    if (y > 0) text += '/';
    for (int x = 0; x < mask.width; ++x) text += mask.row(y)[x] != 0 ? '#' : '.';
  }
  return text;
}

}  // namespace

TEST_CASE("mask: holes are where a picture is not fully opaque") {
  Image picture = make_image(3, 1, 4, 8);
  const std::uint8_t alpha[] = {255, 254, 0};
  for (int x = 0; x < 3; ++x) picture.row(0)[4 * x + 3] = alpha[x];
  CHECK(drawn(mask_from_alpha(picture)) == ".##");
  CHECK(drawn(mask_from_alpha(make_image(2, 1, 3, 16))) == "..");
}

TEST_CASE("mask: a painted mask fills white, or black when inverted") {
  Image painted = make_image(4, 1, 1, 8);
  const std::uint8_t gray[] = {0, 127, 128, 255};
  for (int x = 0; x < 4; ++x) painted.row(0)[x] = gray[x];
  CHECK(drawn(mask_from_picture(painted, false)) == "..##");
  CHECK(drawn(mask_from_picture(painted, true)) == "##..");
}

TEST_CASE("mask: transparent paint is no paint") {
  Image painted = make_image(2, 1, 2, 8);
  painted.row(0)[0] = painted.row(0)[2] = 255;  // both white
  painted.row(0)[1] = 255;                      // the first opaque
  CHECK(drawn(mask_from_picture(painted, false)) == "#.");
}

TEST_CASE("mask: rectangles are cut at the border") {
  Image mask = empty_mask(4, 3);
  add_hole(mask, {.y = 1, .x = 2, .h = 1, .w = 2'000'000'000});
  add_hole(mask, {.y = -5, .x = -5, .h = 6, .w = 6});
  add_hole(mask, {.y = 3, .x = 0, .h = 5, .w = 5});  // below the picture
  CHECK(drawn(mask) == "#.../..##/....");
}

TEST_CASE("mask: holes add up, but only of one size") {
  Image mask = empty_mask(3, 1), more = empty_mask(3, 1);
  add_hole(mask, {0, 0, 1, 1});
  add_hole(more, {0, 2, 1, 1});
  add_holes(mask, more);
  CHECK(drawn(mask) == "#.#");
  CHECK_THROWS_WITH_AS(add_holes(mask, empty_mask(4, 1)),
                       "the mask has 4x1 pixels, the picture 3x1; they must agree", UsageError);
}

TEST_CASE("mask: grown holes reach as far in every direction, corners too") {
  Image mask = empty_mask(7, 5);
  add_hole(mask, {2, 3, 1, 1});
  CHECK(drawn(grown(mask, 1)) == "......./..###../..###../..###../.......");
  CHECK(drawn(grown(mask, 9)) == "#######/#######/#######/#######/#######");
  CHECK(drawn(grown(mask, 0)) == drawn(mask));
}

TEST_CASE("mask: the bounds of holes are the smallest rectangle around them") {
  Image mask = empty_mask(9, 8);
  CHECK(bounds_of_holes(mask) == Rectangle{});
  add_hole(mask, {2, 3, 1, 1});
  add_hole(mask, {6, 1, 1, 2});
  CHECK(bounds_of_holes(mask) == Rectangle{2, 1, 5, 3});
}
