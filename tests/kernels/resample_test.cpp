#include "kernels/resample/resample.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

using Mode = ResampleMode;

constexpr Mode kModes[] = {Mode::kNearest, Mode::kNearestExact, Mode::kBilinear, Mode::kBicubic,
                           Mode::kArea};

Mode mode_named(const std::string& name) {
  if (name == "nearest") return Mode::kNearest;
  if (name == "nearest-exact") return Mode::kNearestExact;
  if (name == "bilinear") return Mode::kBilinear;
  return name == "bicubic" ? Mode::kBicubic : Mode::kArea;
}

/// What torch.nn.functional.interpolate was called with.
op::Resample resample_of(const nlohmann::json& params, const Shape& x) {
  op::Resample resample{mode_named(params["mode"])};
  resample.align_corners = params["align_corners"].is_boolean() && params["align_corners"];
  resample.antialias = params.value("antialias", false);
  if (params.contains("size")) {
    resample.height = params["size"][0];
    resample.width = params["size"][1];
  } else {
    resample.scale_h = resample.scale_w = params["scale_factor"];
    resample.height = static_cast<int>(x.h * resample.scale_h);
    resample.width = static_cast<int>(x.w * resample.scale_w);
  }
  return resample;
}

void check_resample(const op::Resample& resample, const Shape& x) {
  check_rungs(resample_ladder(), resample, {random_tensor(x, 1)},
              [&](ResampleKernel kernel, Inputs inputs, const Tensor& y, Scratch scratch) {
                kernel(resample, inputs[0].view<const float>(), y.view<float>(), scratch);
              });
}

/// One number of the resampled row x.
Tensor resampled_row(const std::vector<float>& x, const op::Resample& resample) {
  return apply(resample, {Tensor::from({1, 1, static_cast<int>(x.size()), 1}, x)});
}

}  // namespace

TEST_CASE("resample: equals the official implementation") {
  const std::string folder = shared_path("goldens/ops");
  if (!require_data(folder)) return;
  int tried = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string file = entry.path().filename().string();
    if (!file.starts_with("interpolate__")) continue;
    CAPTURE(file);
    const Golden golden = load_golden(entry.path().string());
    const Tensor& x = golden.at("input");
    const auto params = nlohmann::json::parse(golden.metadata.at("params"));
    const op::Resample resample = resample_of(params, x.shape());
    on_every_instruction_set([&](const std::string& target) {
      CAPTURE(target);
      CHECK(max_error(apply(resample, {x}), golden.at("output")) <= 1e-6);
    });
    ++tried;
  }
  CHECK(tried == 33);
}

TEST_CASE("resample: every rung matches the reference") {
  const Shape kAwkward[] = {{1, 1, 1, 1}, {2, 5, 7, 3}, {1, 7, 4, 127}, {1, 3, 50, 16}};
  for (const Mode mode : kModes) {
    for (const Shape& x : kAwkward) {
      for (const bool align_corners : {false, true}) {
        for (const bool antialias : {false, true}) {
          for (const Shape& y : {Shape{1, 1, 1, 1}, Shape{1, x.h, x.w, 1}, Shape{1, 3, 5, 1},
                                 Shape{1, 2 * x.h, 2 * x.w, 1}, Shape{1, 11, 8, 1}}) {
            check_resample({mode, y.h, y.w, 0, 0, align_corners, antialias}, x);
          }
        }
      }
    }
    check_resample({mode, 4, 5, 0.7, 0.7}, {1, 6, 8, 3});  // positions from a given factor
    check_resample({mode, 9, 12, 1.6, 1.6}, {1, 6, 8, 3});
  }
}

TEST_CASE("resample: a constant image stays constant") {
  const Tensor x = Tensor::full({1, 6, 9, 5}, 0.3f);
  for (const Mode mode : kModes) {
    for (const bool antialias : {false, true}) {
      for (const int height : {1, 2, 5, 13}) {
        const Tensor y = apply(op::Resample{mode, height, 7, 0, 0, false, antialias}, {x});
        CHECK(max_error(y, Tensor::full(y.shape(), 0.3f)) <= 1e-7);
      }
    }
  }
}

TEST_CASE("resample: a pixel with weight 0 is not read") {
  const std::vector<float> x = {NAN, 1, NAN, NAN, 2, NAN};  // thirds: centres fall on 1 and 4
  for (const Mode mode : {Mode::kBilinear, Mode::kBicubic}) {
    const Tensor y = resampled_row(x, {mode, 1, 2});
    CHECK(identical(y, Tensor::from({1, 1, 2, 1}, std::vector<float>{1, 2})));
  }
}

TEST_CASE("resample: tiles of a whole factor have the bits of the whole image") {
  const Tensor x = random_tensor({1, 48, 60, 3}, 7);
  struct Factor {
    int up, down;
  };
  for (const Factor& factor : {Factor{2, 1}, Factor{3, 1}, Factor{4, 1}, Factor{1, 2}, Factor{1, 3},
                               Factor{1, 4}, Factor{3, 2}, Factor{2, 3}}) {
    for (const Mode mode : kModes) {
      for (const bool antialias : {false, true}) {
        const auto resize = [&](const Tensor& from) {
          const Shape& s = from.shape();
          return op::Resample{
              mode,     s.h * factor.up / factor.down, s.w * factor.up / factor.down, 0, 0, false,
              antialias};
        };
        const Footprint footprint = resize(x).footprint({x.shape()});
        CAPTURE(resize(x).describe());
        CHECK_FALSE(footprint.global);
        CHECK(footprint.scale == doctest::Approx(double(factor.up) / factor.down));
        CHECK(12 % footprint.grid == 0);
        // A tile from 12 to 36 and the halo that the footprint asks for, on the grid.
        const int halo = static_cast<int>(footprint.radius) + footprint.grid - 1;
        const int margin = halo / footprint.grid * footprint.grid;
        REQUIRE(margin <= 12);
        const Tensor tile = x.crop(12 - margin, 12 - margin, 24 + 2 * margin, 24 + 2 * margin);
        const auto scaled = [&](int pixels) { return pixels * factor.up / factor.down; };
        const Tensor part = apply(resize(tile), {tile})
                                .crop(scaled(margin), scaled(margin), scaled(24), scaled(24));
        const Tensor whole = apply(resize(x), {x});
        CHECK(identical(part, whole.crop(scaled(12), scaled(12), scaled(24), scaled(24))));
      }
    }
  }
}

TEST_CASE("resample: a footprint is what its kernel reaches") {
  const Shapes in = {{1, 24, 36, 3}};
  const auto up = [&](Mode mode, int factor) {
    return op::Resample{mode, 24 * factor, 36 * factor}.footprint(in);
  };
  const auto down = [&](Mode mode, int factor, bool antialias) {
    return op::Resample{mode, 24 / factor, 36 / factor, 0, 0, false, antialias}.footprint(in);
  };
  CHECK(up(Mode::kNearest, 4) == Footprint{0, 4, 1, false});
  CHECK(up(Mode::kArea, 4) == Footprint{0, 4, 1, false});
  CHECK(up(Mode::kBilinear, 2) == Footprint{1, 2, 1, false});
  CHECK(up(Mode::kBicubic, 2) == Footprint{2, 2, 1, false});
  CHECK(up(Mode::kBicubic, 1) == Footprint{0, 1, 1, false});
  CHECK(down(Mode::kNearest, 3, false) == Footprint{0, 1.0 / 3, 3, false});
  CHECK(down(Mode::kBilinear, 2, false) == Footprint{0, 0.5, 2, false});
  CHECK(down(Mode::kBicubic, 2, false) == Footprint{1, 0.5, 2, false});
  CHECK(down(Mode::kBilinear, 2, true) == Footprint{1, 0.5, 2, false});
  CHECK(down(Mode::kBicubic, 4, true) == Footprint{6, 0.25, 4, false});
  CHECK(op::Resample{Mode::kBilinear, 36, 54}.footprint(in).grid == 2);
  CHECK(op::Resample{Mode::kBilinear, 48, 36}.footprint(in).global);
  CHECK(op::Resample{Mode::kBilinear, 48, 72, 0, 0, true}.footprint(in).global);
  CHECK(op::Resample{Mode::kBilinear, 33, 50, 1.4, 1.4}.footprint(in).global);
}

TEST_CASE("resample: an empty result is refused") {
  CHECK_THROWS_WITH_AS(op::Resample{}.shape({{1, 2, 9, 3}}),
                       "resample: [1,2,9,3] cannot become 0 rows of 0 pixels", ShapeError);
}

TEST_CASE("resample: cost counts both passes") {
  const Shapes in = {{1, 8, 8, 2}};
  const op::Resample nearest{Mode::kNearest, 16, 16};
  CHECK(nearest.cost(in).flops == 0);
  CHECK(nearest.cost(in).bytes == (128 + 512) * 4);
  CHECK(op::Resample{Mode::kBicubic, 16, 16}.cost(in).flops == 2 * 4 * (16 * 8 + 16 * 16) * 2);
}

}  // namespace mend::test
