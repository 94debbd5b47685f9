#include "kernels/pad/pad.h"

#include <doctest/doctest.h>

#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

const struct {
  const char* name;
  PadMode mode;
} kModes[] = {{"constant", PadMode::kConstant},
              {"reflect", PadMode::kReflect},
              {"replicate", PadMode::kReplicate},
              {"circular", PadMode::kCircular},
              {"symmetric", PadMode::kSymmetric}};

void check_pad(const op::Pad& pad, const Shape& x) {
  check_rungs(pad_ladder(), pad, {random_tensor(x, 1)},
              [&](PadKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                kernel(pad, inputs[0].view<const float>(), y.view<float>());
              });
}

/// The row of numbers 1 2 3, padded by two on each side.
std::vector<float> padded_row(PadMode mode) {
  const Tensor x = Tensor::from({1, 1, 3, 1}, std::vector<float>{1, 2, 3});
  const Tensor y = apply(op::Pad{0, 0, 2, 2, mode, 9}, {x});
  const float* first = y.view<const float>().data;
  return {first, first + 7};
}

}  // namespace

TEST_CASE("pad: every mode equals the official implementation") {
  for (const auto& mode : kModes) {
    if (mode.mode == PadMode::kSymmetric) continue;  // numpy's, PyTorch has none
    const std::string path =
        shared_path(std::string("goldens/ops/pad__") + mode.name + ".safetensors");
    if (!require_data(path)) return;
    CAPTURE(mode.name);
    const Golden golden = load_golden(path);
    const auto params = nlohmann::json::parse(golden.metadata.at("params"));
    const float value = params.value("value", 0.0f);
    const op::Pad pad{params["top"],   params["bottom"], params["left"],
                      params["right"], mode.mode,        value};
    CHECK(max_error(apply(pad, {golden.at("input")}), golden.at("output")) <= 0);
  }
}

TEST_CASE("pad: each mode continues a row as its name says") {
  using Row = std::vector<float>;
  CHECK(padded_row(PadMode::kConstant) == Row{9, 9, 1, 2, 3, 9, 9});
  CHECK(padded_row(PadMode::kReflect) == Row{3, 2, 1, 2, 3, 2, 1});
  CHECK(padded_row(PadMode::kReplicate) == Row{1, 1, 1, 2, 3, 3, 3});
  CHECK(padded_row(PadMode::kCircular) == Row{2, 3, 1, 2, 3, 1, 2});
  CHECK(padded_row(PadMode::kSymmetric) == Row{2, 1, 1, 2, 3, 3, 2});
}

TEST_CASE("pad: every rung matches the reference") {
  for (const auto& mode : kModes) {
    for (const int channels : {1, 3, 127}) {
      check_pad({1, 3, 2, 0, mode.mode, 0.5f}, {2, 4, 7, channels});
      check_pad({0, 0, 0, 0, mode.mode}, {1, 1, 1, channels});
      if (mode.mode != PadMode::kReflect) check_pad({1, 1, 1, 1, mode.mode}, {1, 1, 1, channels});
    }
  }
}

TEST_CASE("pad: a mirror wider than the image and negative sides are refused") {
  CHECK_THROWS_WITH_AS(op::Pad({0, 4, 0, 0, PadMode::kReflect}).shape({{1, 4, 9, 3}}),
                       "pad: reflect top 0 bottom 4 left 0 right 0 needs more pixels than "
                       "[1,4,9,3] has; at most 3 rows and 8 columns fit",
                       ShapeError);
  CHECK_THROWS_AS(op::Pad({0, 5, 0, 0, PadMode::kSymmetric}).shape({{1, 4, 9, 3}}), ShapeError);
  CHECK_THROWS_AS(op::Pad({0, 5, 0, 0, PadMode::kCircular}).shape({{1, 4, 9, 3}}), ShapeError);
  CHECK_THROWS_AS(op::Pad({-1, 0, 0, 0}).shape({{1, 4, 9, 3}}), ShapeError);
  CHECK(op::Pad({0, 50, 0, 0, PadMode::kReplicate}).shape({{1, 4, 9, 3}}) == Shape{1, 54, 9, 3});
}

TEST_CASE("pad: a tile that starts at a multiple of 8 is padded as its part of the image") {
  // 21 rows and columns, padded to 24; tiles of 16 and the rest of 5.
  for (const auto& mode : kModes) {
    if (mode.mode == PadMode::kCircular) continue;
    CAPTURE(mode.name);
    const Tensor x = random_tensor({1, 21, 21, 3}, 4);
    const Tensor y = apply(op::Pad{0, 3, 0, 3, mode.mode}, {x});
    const Tensor tile = apply(op::Pad{0, 3, 0, 3, mode.mode}, {x.crop(16, 16, 5, 5)});
    CHECK(identical(tile, y.crop(16, 16, 8, 8)));
  }
}

TEST_CASE("crop: is a view of its input, and computes the same elsewhere") {
  const Tensor x = random_tensor({2, 6, 7, 5}, 2);
  const op::Crop crop{2, 3, 4, 4};
  const Tensor y = apply(crop, {x});
  CHECK(y.view<const float>().data == x.view<const float>().pixel(0, 2, 3));
  const Guarded copy(y.shape());
  crop.forward(Inputs(&x, 1), copy.tensor(), {});
  CHECK(identical(copy.tensor(), y));
  CHECK(copy.intact());
}

TEST_CASE("crop: a window that does not lie in the image is refused") {
  CHECK_THROWS_WITH_AS(op::Crop({3, 0, 4, 7}).shape({{1, 6, 7, 3}}),
                       "crop: the window 7x4 at row 3, column 0 does not lie in [1,6,7,3]",
                       ShapeError);
  CHECK_THROWS_AS(op::Crop({0, -1, 2, 2}).shape({{1, 6, 7, 3}}), ShapeError);
  CHECK_THROWS_AS(op::Crop({2147483647, 0, 2, 2}).shape({{1, 6, 7, 3}}), ShapeError);
}

TEST_CASE("pad, crop: cost and footprint") {
  const Shapes in = {{1, 4, 5, 3}};
  const op::Pad pad{1, 1, 1, 1};
  CHECK(pad.cost(in).bytes == (60 + 126) * 4);
  CHECK(pad.footprint(in) == Footprint{});
  CHECK(op::Pad({1, 1, 1, 1, PadMode::kCircular}).footprint(in).global);
  CHECK(op::Crop({1, 1, 2, 2}).footprint(in) == Footprint{});
  CHECK(op::Crop({1, 1, 2, 2}).cost(in).bytes == 0);
}

}  // namespace mend::test
