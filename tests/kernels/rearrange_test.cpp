#include "kernels/rearrange/rearrange.h"

#include <doctest/doctest.h>

#include "engine/plan.h"
#include "kernels/channels/channels.h"
#include "kernels/elementwise/elementwise.h"
#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

template <class Op, class Kernel>
void check(std::span<const Variant<Op, Kernel>> ladder, const Op& operation, const Tensor& x) {
  check_rungs(ladder, operation, {x}, [&](Kernel kernel, Inputs in, const Tensor& y, Scratch) {
    kernel(operation, in[0].view<const float>(), y.view<float>());
  });
}

}  // namespace

TEST_CASE("roll: equals the official implementation") {
  const std::string path = shared_path("goldens/ops/roll__m2_3.safetensors");
  if (!require_data(path)) return;
  const Golden golden = load_golden(path);
  CHECK(identical(apply(op::Roll{-2, 3}, {golden.at("input")}), golden.at("output")));
}

TEST_CASE("roll: every rung matches the reference") {
  for (const int channels : {1, 3, 64}) {
    const Tensor x = random_tensor({2, 5, 7, channels}, 1);
    for (const op::Roll& roll :
         {op::Roll{0, 0}, op::Roll{-2, 3}, op::Roll{5, -7}, op::Roll{-13, 20}}) {
      check(roll_ladder(), roll, x);
    }
  }
  check(roll_ladder(), {0, 5}, random_tensor({1, 2, 3000, 9}, 2));
}

TEST_CASE("window_partition, window_merge: every rung matches the reference") {
  for (const bool dilated : {false, true})
    for (const int channels : {1, 30}) {
      check(window_partition_ladder(), {4, 2, dilated}, random_tensor({2, 12, 8, channels}, 3));
      check(window_partition_ladder(), {3, 3, dilated}, random_tensor({1, 3, 3, channels}, 4));
      check(window_merge_ladder(), {12, 8, dilated}, random_tensor({24, 4, 2, channels}, 5));
      check(window_merge_ladder(), {3, 3, dilated}, random_tensor({2, 3, 3, channels}, 6));
    }
}

TEST_CASE("window_merge: undoes window_partition") {
  const Tensor x = random_tensor({2, 12, 20, 5}, 7);
  for (const bool dilated : {false, true}) {
    const Tensor windows = apply(op::WindowPartition{4, 5, dilated}, {x});
    CHECK(windows.shape() == Shape{24, 4, 5, 5});
    CHECK(identical(apply(op::WindowMerge{12, 20, dilated}, {windows}), x));
  }
}

TEST_CASE("transpose: every rung matches the reference") {
  for (const Shape& shape :
       {Shape{1, 1, 1, 1}, Shape{2, 3, 5, 7}, Shape{1, 1, 225, 6}, Shape{1, 2, 33, 50}}) {
    check_rungs(transpose_ladder(), op::Transpose{}, {random_tensor(shape, 10)},
                [](TransposeKernel kernel, Inputs in, const Tensor& y, Scratch) {
                  kernel(in[0].view<const float>(), y.view<float>());
                });
  }
  const Tensor x = random_tensor({1, 2, 3, 4}, 11);
  CHECK(identical(apply(op::Transpose{}, {apply(op::Transpose{}, {x})}), x));
}

TEST_CASE("reshape: sees the same pixels, of a channel slice too") {
  const Tensor x = random_tensor({2, 3, 4, 10}, 8);
  const Tensor tokens = apply(op::Reshape{2, 1, 12}, {x.channels(3, 5)});
  CHECK(tokens.shape() == Shape{2, 1, 12, 5});
  CHECK(tokens.storage() == x.storage());
  CHECK(identical(apply(op::Reshape{2, 3, 4}, {tokens}), x.channels(3, 5)));
  CHECK_THROWS_AS(x.channels(3, 5).reshaped({1, 1, 1, 120}), ShapeError);
  CHECK_THROWS_AS(x.crop(0, 1, 3, 2).reshaped({2, 1, 6, 10}), ShapeError);
}

TEST_CASE("rearrange: a plan gives the numbers of the eager run") {
  const Tensor x = random_tensor({1, 8, 12, 6}, 9);
  const Network network = [](const std::vector<Tensor>& inputs) {
    const Tensor rolled = apply(op::Roll{-2, -2}, {inputs[0]});
    const Tensor windows = apply(op::WindowPartition{4, 4}, {rolled});
    const Tensor doubled = apply(op::Affine{.scale = 2.0f}, {windows});
    const Tensor merged = apply(op::WindowMerge{8, 12}, {doubled});
    const Tensor back = apply(op::Roll{2, 2}, {merged});
    // `back` is written inside the concatenation; its view must follow it there.
    const Tensor tokens = apply(op::Reshape{1, 1, 96}, {back});
    const Tensor joined = apply(op::Concat{}, {inputs[0], back});
    return std::vector<Tensor>{joined, apply(op::Affine{.offset = 1.0f}, {tokens})};
  };
  Plan plan(network, {x.shape()});
  plan.poison();
  const std::vector<Tensor> planned = plan({x}), eager = network({x});
  CHECK(identical(planned[0], eager[0]));
  CHECK(identical(planned[1], eager[1]));
}

TEST_CASE("rearrange: what does not fit is refused") {
  CHECK_THROWS_WITH_AS(
      op::WindowPartition({8, 8}).shape({{1, 12, 16, 3}}),
      "window_partition: windows of 8x8 pixels do not tile images of [1,12,16,3]; pad them",
      ShapeError);
  CHECK_THROWS_WITH_AS(op::WindowMerge({8, 8}).shape({{3, 4, 4, 3}}),
                       "window_merge: 3 windows [3,4,4,3] do not make whole images of 8x8",
                       ShapeError);
  CHECK_THROWS_WITH_AS(op::Reshape({1, 1, 7}).shape({{1, 2, 4, 3}}),
                       "reshape: the 8 pixels of [1,2,4,3] cannot be seen as [1,1,7,3]",
                       ShapeError);
  CHECK(op::WindowPartition({4, 8}).footprint({}) == Footprint{7, 1, 8, false});
  CHECK(op::WindowPartition({4, 8, true}).footprint({}).global);
}

}  // namespace mend::test
