#include "kernels/pixel_shuffle/pixel_shuffle.h"

#include <doctest/doctest.h>

#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

template <class Op>
void check_fixtures(const std::string& name) {
  for (const int factor : {2, 3, 4}) {
    const std::string path =
        shared_path("goldens/ops/" + name + "__r" + std::to_string(factor) + ".safetensors");
    if (!require_data(path)) return;
    CAPTURE(path);
    const Golden golden = load_golden(path);
    CHECK(identical(apply(Op{factor}, {golden.at("input")}), golden.at("output")));
  }
}

}  // namespace

TEST_CASE("pixel_shuffle: equals the official implementation") {
  check_fixtures<op::PixelShuffle>("pixel_shuffle");
}

TEST_CASE("pixel_unshuffle: equals the official implementation") {
  check_fixtures<op::PixelUnshuffle>("pixel_unshuffle");
}

TEST_CASE("pixel_shuffle, pixel_unshuffle: every rung matches the reference") {
  for (const int factor : {1, 2, 3, 4, 5, 8}) {
    for (const int channels : {1, 3, 16, 127}) {
      if (factor > 4 && channels > 16) continue;
      const int wide = channels * factor * factor;
      for (const Shape& small : {Shape{1, 1, 1, wide}, Shape{2, 3, 7, wide}}) {
        const op::PixelShuffle shuffle{factor};
        check_rungs(pixel_shuffle_ladder(), shuffle, {random_tensor(small, 1)},
                    [&](PixelShuffleKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                      kernel(shuffle, inputs[0].view<const float>(), y.view<float>());
                    });
        const op::PixelUnshuffle unshuffle{factor};
        check_rungs(pixel_unshuffle_ladder(), unshuffle, {random_tensor(shuffle.shape({small}), 2)},
                    [&](PixelUnshuffleKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                      kernel(unshuffle, inputs[0].view<const float>(), y.view<float>());
                    });
      }
    }
  }
}

TEST_CASE("pixel_unshuffle: undoes pixel_shuffle") {
  const Tensor x = random_tensor({2, 4, 5, 27}, 3);
  const Tensor back = apply(op::PixelUnshuffle{3}, {apply(op::PixelShuffle{3}, {x})});
  CHECK(identical(back, x));
}

TEST_CASE("pixel_shuffle, pixel_unshuffle: extents that do not divide are refused") {
  CHECK_THROWS_WITH_AS(op::PixelShuffle{2}.shape({{1, 4, 4, 6}}),
                       "pixel_shuffle: factor 2 needs a multiple of 4 channels, but x is [1,4,4,6]",
                       ShapeError);
  CHECK_THROWS_AS(op::PixelUnshuffle{2}.shape({{1, 5, 4, 6}}), ShapeError);
  CHECK_THROWS_AS(op::PixelUnshuffle{2}.shape({{1, 4, 5, 6}}), ShapeError);
}

TEST_CASE("pixel_shuffle, pixel_unshuffle: cost and footprint") {
  const Shapes in = {{1, 6, 6, 36}};
  CHECK(op::PixelShuffle{3}.cost(in).bytes == 2 * 36 * 36 * 4);
  CHECK(op::PixelShuffle{3}.footprint(in) == Footprint{0, 3, 1, false});
  CHECK(op::PixelUnshuffle{2}.footprint(in) == Footprint{0, 0.5, 2, false});
}

}  // namespace mend::test
