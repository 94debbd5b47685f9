#include "kernels/channels/channels.h"

#include <doctest/doctest.h>

#include "kernels/channels/gradient.h"
#include "tests/support/guarded.h"

namespace mend::test {

TEST_CASE("concat: every rung matches the reference") {
  for (const std::vector<int>& channels :
       {std::vector<int>{1}, {3, 1}, {127, 127}, {64, 32, 32, 5}}) {
    for (const Shape& pixels : {Shape{1, 1, 1, 1}, Shape{2, 3, 7, 1}, Shape{1, 2, 300, 1}}) {
      std::vector<Tensor> inputs;
      for (const int c : channels) {
        inputs.push_back(random_tensor({pixels.n, pixels.h, pixels.w, c}, inputs.size()));
      }
      check_rungs(concat_ladder(), op::Concat{}, inputs,
                  [](ConcatKernel kernel, Inputs from, const Tensor& y, Scratch) {
                    kernel(from, y.view<float>());
                  });
    }
  }
}

TEST_CASE("concat: puts the inputs side by side") {
  const Tensor x = Tensor::from({1, 1, 2, 1}, std::vector<float>{1, 2});
  const Tensor z = Tensor::from({1, 1, 2, 2}, std::vector<float>{3, 4, 5, 6});
  const Tensor y = apply(op::Concat{}, {x, z});
  CHECK(identical(y, Tensor::from({1, 1, 2, 3}, std::vector<float>{1, 3, 4, 2, 5, 6})));
}

TEST_CASE("place_channels: every rung matches the reference") {
  for (const int first : {0, 2, 4}) {
    const op::PlaceChannels op{first, 9};
    check_rungs(place_channels_ladder(), op, {random_tensor({2, 3, 5, 5}, 1)},
                [&](PlaceChannelsKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                  kernel(op, inputs[0].view<const float>(), y.view<float>());
                });
  }
}

TEST_CASE("concat: leaves an input alone that is in place") {
  const Tensor y = random_tensor({2, 3, 4, 7}, 5);
  const Tensor before = y.clone();
  const std::vector<Tensor> parts = {y.channels(0, 3), y.channels(3, 4)};
  for (const auto& rung : concat_ladder()) {
    if (rung.device != DeviceKind::kCpu) continue;
    rung.kernel(parts, y.view<float>());
    CHECK(identical(y, before));
  }
}

TEST_CASE("concat: other extents are refused with both shapes") {
  CHECK_THROWS_WITH_AS(op::Concat{}.shape({{1, 4, 4, 3}, {1, 4, 5, 3}}),
                       "concat: input 1 is [1,4,5,3], but input 0 is [1,4,4,3]; only channels may "
                       "differ",
                       ShapeError);
}

TEST_CASE("slice_channels: is a view of its input, and computes the same elsewhere") {
  const Tensor x = random_tensor({2, 3, 5, 254}, 6);
  const op::SliceChannels slice{127, 127};
  const Tensor y = apply(slice, {x});
  CHECK(y.view<const float>().data == x.view<const float>().data + 127);
  const Guarded copy(y.shape());
  slice.forward(Inputs(&x, 1), copy.tensor(), {});
  CHECK(identical(copy.tensor(), y));
  CHECK(copy.intact());
}

TEST_CASE("slice_channels: channels that are not there are refused") {
  for (const op::SliceChannels& slice :
       {op::SliceChannels{2, 2}, op::SliceChannels{-1, 1}, op::SliceChannels{0, 0},
        op::SliceChannels{2147483647, 2}}) {
    CHECK_THROWS_AS(slice.shape({{1, 4, 4, 3}}), ShapeError);
  }
}

TEST_CASE("concat, slice_channels: cost and footprint") {
  CHECK(op::Concat{}.cost({{1, 2, 2, 3}, {1, 2, 2, 5}}).bytes == 2 * 32 * 4);
  CHECK(op::SliceChannels{}.cost({{1, 2, 2, 3}}).bytes == 0);
  CHECK(op::Concat{}.footprint({{1, 2, 2, 3}}) == Footprint{});
}

}  // namespace mend::test
