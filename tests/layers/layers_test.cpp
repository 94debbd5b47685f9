// Layers are thin: their operations have tests of their own. Here: parameters and composition.
#include <doctest/doctest.h>

#include "engine/error.h"
#include "layers/batch_norm2d.h"
#include "layers/conv2d.h"
#include "layers/functions.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

Tensor ramp(const Shape& shape) {
  const Tensor x = Tensor::empty(shape);
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    x.view<float>().data[i] = static_cast<float>(i);
  }
  return x;
}

}  // namespace

TEST_CASE("batch_norm2d: equals the official layer in eval mode") {
  const std::string path = shared_path("goldens/ops/batch_norm__eval.safetensors");
  if (!require_data(path)) return;
  const Golden golden = load_golden(path);
  Checkpoint checkpoint = golden.weights;
  for (const char* name : {"running_mean", "running_var"}) {
    checkpoint.tensors[name] = golden.stored.tensors.at(std::string("buffers/") + name);
  }
  const auto store = std::make_shared<ParameterStore>(checkpoint, "BatchNorm2d");
  const BatchNorm2d norm(Scope(store), golden.at("input").shape().c);
  store->finish();
  CHECK(max_error(norm(golden.at("input")), golden.at("output")) <= 1e-5);
}

TEST_CASE("conv2d layer: `same` padding keeps the size for any kernel and dilation") {
  const auto store = std::make_shared<ParameterStore>(Checkpoint{}, "Conv2d");
  const Tensor x = Tensor::zeros({1, 9, 11, 4});
  const Scope p(store);
  CHECK(Conv2d(p, 4, 6, 3)(x).shape() == Shape{1, 9, 11, 6});
  CHECK(Conv2d(p, 4, 6, 5, {.dilation = 2})(x).shape() == Shape{1, 9, 11, 6});
  CHECK(Conv2d(p, 4, 6, {1, 3})(x).shape() == Shape{1, 9, 11, 6});
  CHECK(Conv2d(p, 4, 4, 3, {.groups = 4})(x).shape() == Shape{1, 9, 11, 4});
  CHECK(Conv2d(p, 4, 6, 3, {.padding = 0})(x).shape() == Shape{1, 7, 9, 6});
  CHECK(Conv2d(p, 4, 6, 3, {.stride = 2})(x).shape() == Shape{1, 5, 6, 6});
}

TEST_CASE("functions: padding to a multiple adds pixels below and to the right, and no more") {
  const Tensor x = ramp({1, 3, 4, 1});
  const Tensor y = pad_to_multiple(x, 4, PadMode::kReflect);
  CHECK(y.shape() == Shape{1, 4, 4, 1});
  CHECK(y.view<const float>()(0, 3, 2, 0) == 6);  // row 1 again
  CHECK(max_error(crop(y, 0, 0, 3, 4), x) <= 0);
  CHECK(pad_to_multiple(x, 1, PadMode::kReflect).shape() == x.shape());
}

TEST_CASE("functions: trim takes the same border from all sides") {
  const Tensor y = trim(ramp({1, 5, 6, 1}), 2);
  CHECK(y.shape() == Shape{1, 1, 2, 1});
  CHECK(y.view<const float>()(0, 0, 0, 0) == 14);
  CHECK_THROWS_AS(trim(ramp({1, 4, 6, 1}), 2), ShapeError);
}

TEST_CASE("functions: unshuffle undoes shuffle, spread repeats one pixel") {
  const Tensor x = ramp({1, 2, 3, 8});
  CHECK(max_error(pixel_unshuffle(pixel_shuffle(x, 2), 2), x) <= 0);
  const Tensor y = spread(ramp({2, 1, 1, 1}), 3, 2);
  CHECK(y.shape() == Shape{2, 3, 2, 1});
  CHECK(y.view<const float>()(1, 2, 1, 0) == 1);
}

}  // namespace mend::test
