#include "train/holes.h"

#include <doctest/doctest.h>

#include <string>

#include "engine/error.h"
#include "models/task.h"
#include "tests/support/guarded.h"
#include "tests/support/thrown.h"

namespace mend::test {
namespace {

Tensor mask_of(const std::string& steps, std::uint64_t sample = 0, int height = 60,
               int width = 50) {
  RandomStream random(11, sample);
  return draw_mask(make_degradation(Json::parse(steps), "mask"), height, width, random);
}

/// The part of the pixels that are holes; fails if one is neither 0 nor 1.
double share_of(const Tensor& mask) {
  double sum = 0;
  for (std::int64_t i = 0; i < mask.shape().elements(); ++i) {
    const float value = mask.view<const float>().data[i];
    REQUIRE((value == 0 || value == 1));
    sum += value;
  }
  return sum / static_cast<double>(mask.shape().elements());
}

}  // namespace

TEST_CASE("masks: all marks draw holes, the same ones for the same sample") {
  for (const char* steps : {R"([{"do": "scratches", "count": [2, 4], "spots": 5}])",
                            R"([{"do": "text", "lines": 2, "size": [10, 14]}])",
                            R"([{"do": "missing_pixels", "share": 0.3}])",
                            R"([{"do": "holes", "share": 0.1, "size": [2, 6]}])"}) {
    CAPTURE(steps);
    const Tensor mask = mask_of(steps);
    CHECK(mask.shape() == Shape{1, 60, 50, 1});
    const double share = share_of(mask);
    CHECK(share > 0.01);
    CHECK(share < 0.6);
    CHECK(identical(mask, mask_of(steps)));
    CHECK(!identical(mask, mask_of(steps, 1)));
  }
}

TEST_CASE("masks: as much is missing as was asked for") {
  for (const double share : {0.1, 0.5}) {
    const std::string steps =
        R"([{"do": "missing_pixels", "share": )" + std::to_string(share) + "}]";
    CHECK(share_of(mask_of(steps, 0, 200, 200)) == doctest::Approx(share).epsilon(0.05));
  }
  CHECK(share_of(mask_of("[]")) == 0);
}

TEST_CASE("masks: lines of writing are strokes with paper between them") {
  const Tensor mask = mask_of(R"([{"do": "text", "lines": 1, "size": 40}])", 4, 300, 400);
  // As high as a letter and no higher, but for strokes' width and a slant; never all of it.
  int rows = 0, most = 0;
  for (int y = 0; y < 300; ++y) {
    int holes = 0;
    for (int x = 0; x < 400; ++x) holes += mask.view<const float>()(0, y, x, 0) == 1 ? 1 : 0;
    rows += holes > 0 ? 1 : 0;
    most = std::max(most, holes);
  }
  CHECK(rows > 20);
  CHECK(rows < 240);
  CHECK(most < 300);
}

TEST_CASE(
    "masks: a picture is black in its holes, as it was elsewhere, and the mask lies behind it") {
  const Tensor picture = random_tensor({1, 20, 30, 3}, 5);
  RandomStream random(1, 2);
  const Degradation steps =
      make_degradation(Json::parse(R"([{"do": "holes", "share": 0.2, "size": 5}])"));
  const Tensor mask = draw_mask(steps, 20, 30, random), holed = with_mask(picture, mask);
  REQUIRE(holed.shape() == Shape{1, 20, 30, 4});
  for (int y = 0; y < 20; ++y)
    for (int x = 0; x < 30; ++x) {
      const float hole = mask.view<const float>()(0, y, x, 0);
      REQUIRE(holed.view<const float>()(0, y, x, 3) == hole);
      for (int c = 0; c < 3; ++c) {
        const float known = picture.view<const float>()(0, y, x, c);
        REQUIRE(holed.view<const float>()(0, y, x, c) == (hole == 1 ? 0 : known));
      }
    }
}

TEST_CASE("masks: steps that change the size are refused, and errors say that it is the mask") {
  CHECK(thrown<UsageError>([] {
          mask_of(R"([{"do": "resize", "scale": 0.5}])");
        }).find("mask: the steps end at") != std::string::npos);
  CHECK(thrown<UsageError>([] { mask_of(R"([{"do": "text"}])"); }).find("mask[0] (text)") !=
        std::string::npos);
}

}  // namespace mend::test
