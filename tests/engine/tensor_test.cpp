#include "engine/tensor.h"

#include <doctest/doctest.h>

#include <limits>
#include <numeric>
#include <vector>

#include "engine/error.h"

namespace mend::test {
namespace {

/// 0, 1, 2, ... in NHWC order.
Tensor counting(const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  std::iota(values.begin(), values.end(), 0.0f);
  return Tensor::from(shape, values);
}

float at(const Tensor& x, int n, int h, int w, int c) { return x.view<const float>()(n, h, w, c); }

}  // namespace

TEST_CASE("tensor: elements lie in NHWC order") {
  const Tensor x = counting({2, 3, 4, 5});
  CHECK(at(x, 1, 2, 3, 4) == 119);
  CHECK(at(x, 1, 0, 2, 1) == 60 + 10 + 1);
  CHECK(x.dense());
  CHECK(x.bytes() == 480);
  CHECK(reinterpret_cast<std::uintptr_t>(x.view<const float>().data) % 64 == 0);
}

TEST_CASE("tensor: zeros, full and an absent tensor") {
  CHECK(at(Tensor::zeros({1, 2, 2, 3}), 0, 1, 1, 2) == 0);
  CHECK(at(Tensor::full({1, 2, 2, 3}, 0.5f), 0, 1, 1, 2) == 0.5f);
  CHECK_FALSE(Tensor().defined());
  CHECK_FALSE(Tensor().view<float>());
  CHECK_THROWS_WITH_AS(Tensor::from({1, 1, 2, 3}, std::vector<float>(5)),
                       "5 values do not fill a tensor of shape [1,1,2,3]", ShapeError);
}

TEST_CASE("tensor: a channel slice shares the pixels") {
  const Tensor x = counting({2, 3, 4, 5});
  const Tensor slice = x.channels(2, 3);
  CHECK(slice.shape() == Shape{2, 3, 4, 3});
  CHECK_FALSE(slice.dense());
  CHECK(slice.view<const float>().evenly_spaced());
  CHECK(at(slice, 1, 2, 3, 0) == 117);
  slice.view<float>()(0, 0, 0, 0) = -1;
  CHECK(at(x, 0, 0, 0, 2) == -1);
  CHECK(at(slice.channels(1, 1), 0, 0, 1, 0) == 8);
}

TEST_CASE("tensor: a crop shares the pixels, of all images") {
  const Tensor x = counting({2, 3, 4, 5});
  const Tensor window = x.crop(1, 2, 2, 2);
  CHECK(window.shape() == Shape{2, 2, 2, 5});
  CHECK(at(window, 1, 1, 1, 4) == 119);
  CHECK(at(window, 0, 0, 0, 0) == 30);
  CHECK_FALSE(window.view<const float>().evenly_spaced());
  CHECK(at(window.channels(3, 2).crop(1, 1, 1, 1), 1, 0, 0, 1) == 119);
  // A part of the only row of each image: what is left out lies between the images.
  const Tensor rows = counting({2, 1, 4, 5});
  CHECK_FALSE(rows.crop(0, 1, 1, 2).view<const float>().evenly_spaced());
  CHECK(rows.crop(0, 0, 1, 4).view<const float>().evenly_spaced());
}

TEST_CASE("tensor: slices and crops that do not lie in a tensor are refused") {
  const Tensor x = counting({2, 3, 4, 5});
  CHECK_THROWS_WITH_AS(x.channels(3, 3), "channels 3..5 do not lie in a tensor of shape [2,3,4,5]",
                       ShapeError);
  CHECK_THROWS_AS(x.channels(-1, 2), ShapeError);
  CHECK_THROWS_AS(x.channels(0, 0), ShapeError);
  CHECK_THROWS_AS(x.channels(1, std::numeric_limits<int>::max()), ShapeError);
  CHECK_THROWS_WITH_AS(x.crop(2, 0, 2, 4),
                       "the 4x2 window at row 2, column 0 does not lie in "
                       "[2,3,4,5]",
                       ShapeError);
  CHECK_THROWS_AS(x.crop(0, -1, 1, 1), ShapeError);
  CHECK_THROWS_AS(x.crop(1, 0, std::numeric_limits<int>::max(), 1), ShapeError);
}

TEST_CASE("tensor: a clone is dense and has pixels of its own") {
  const Tensor x = counting({2, 3, 4, 5}).named("conv.weight");
  for (const Tensor& part :
       {x, x.channels(1, 3), x.crop(1, 1, 2, 3), x.crop(0, 1, 2, 2).channels(4, 1)}) {
    const Tensor copy = part.clone();
    CHECK(copy.dense());
    CHECK(copy.shape() == part.shape());
    CHECK(copy.storage() != x.storage());
    const Shape& s = copy.shape();
    bool same = true;
    for (int n = 0; n < s.n; ++n)
      for (int h = 0; h < s.h; ++h)
        for (int w = 0; w < s.w; ++w)
          for (int c = 0; c < s.c; ++c) same = same && at(copy, n, h, w, c) == at(part, n, h, w, c);
    CHECK(same);
  }
  CHECK(x.clone().name() == "conv.weight");
}

TEST_CASE("tensor: other extents see the same pixels") {
  const Tensor x = counting({2, 3, 4, 5});
  const Tensor matrix = x.reshaped({1, 1, 24, 5});
  CHECK(matrix.view<const float>().data == x.view<const float>().data);
  CHECK(at(matrix, 0, 0, 23, 4) == 119);
  CHECK_THROWS_WITH_AS(x.reshaped({1, 1, 24, 4}), "[2,3,4,5] cannot be seen as [1,1,24,4]",
                       ShapeError);
}

TEST_CASE("tensor: a tensor inside borrowed memory keeps its owner") {
  const auto owner = std::make_shared<std::vector<float>>(8, 3.0f);
  Tensor x;
  {
    const auto storage = std::make_shared<Storage>(owner->data(), 32, cpu(), owner);
    x = Tensor::within(storage, 8, {1, 1, 2, 3});
  }
  CHECK(owner.use_count() == 2);
  (*owner)[2] = 7;
  CHECK(at(x, 0, 0, 0, 0) == 7);
  x = Tensor();
  CHECK(owner.use_count() == 1);
}

TEST_CASE("tensor: allocations are counted and freed") {
  const std::int64_t before = allocated_bytes();
  {
    const Tensor x = Tensor::empty({1, 100, 100, 1});
    const Tensor shared = x.channels(0, 1);
    CHECK(allocated_bytes() == before + 40000);
    CHECK(peak_allocated_bytes() >= before + 40000);
  }
  CHECK(allocated_bytes() == before);
}

#ifndef __SANITIZE_ADDRESS__  // which ends the program at so large a request
TEST_CASE("tensor: memory that is not there is an error with its size") {
  CHECK_THROWS_AS(Tensor::empty({1 << 14, 1 << 14, 1 << 14, 1 << 10}), OutOfMemory);
}
#endif

}  // namespace mend::test
