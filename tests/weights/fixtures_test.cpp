// The tests' own tools: the procedural weights and the loader of fixtures.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

using namespace mend;
using namespace mend::test;

TEST_CASE("fixtures: the procedural fill has the documented values") {
  const std::vector<float> values = procedural_fill("conv_first.weight", 121, 0.25, 0.5, 4);
  CHECK(values == std::vector<float>{0.51601094f, 0.495837897f, 0.511669636f, 0.381734461f});
}

TEST_CASE("fixtures: a manifest becomes a checkpoint of its size") {
  const std::string path = shared_path("goldens/srvgg/realesr-general-x4v3.keys.json");
  if (!require_data(path)) return;
  const Checkpoint checkpoint = fill_checkpoint(path);
  std::int64_t parameters = 0;
  for (const auto& [key, tensor] : checkpoint.tensors) parameters += tensor.elements();
  CHECK(parameters == 1213296);
  CHECK(checkpoint.tensors.at("body.0.weight").shape == std::vector<std::int64_t>{64, 3, 3, 3});
  CHECK(checkpoint.metadata.at("network") == "srvgg");
}

TEST_CASE("fixtures: a golden gives NHWC tensors, weights and tolerances") {
  const std::string path = shared_path("goldens/srvgg/x4_prelu.safetensors");
  if (!require_data(path)) return;
  const Golden golden = load_golden(path);
  const Shape x = golden.at("input").shape(), y = golden.at("output").shape();
  CHECK(x.c == 3);
  CHECK(y == Shape{x.n, 4 * x.h, 4 * x.w, 3});
  CHECK(golden.inputs() == std::vector<std::string>{"input"});
  CHECK(golden.tolerance.at("float32_max_abs").get<double>() > 0);
  CHECK(golden.weights.tensors.at("body.0.weight").shape[1] == 3);
  CHECK(golden.has("grads/body.0.weight"));
  // NCHW element (0, 1, 0, 2) is NHWC element (0, 0, 2, 1).
  const auto nchw = golden.stored.tensors.at("input").to_f32();
  CHECK(golden.at("input").view<float>()(0, 0, 2, 1) ==
        nchw[static_cast<std::size_t>(x.h * x.w + 2)]);
}

TEST_CASE("compare: the worst element is found, and NaN fits no bound") {
  const Tensor expected = Tensor::from({1, 1, 2, 2}, std::vector<float>{1, 2, 3, 4});
  const Tensor actual = Tensor::from({1, 1, 2, 2}, std::vector<float>{1, 2, 3.5f, 4});
  const Deviation deviation = max_error(actual, expected);
  CHECK(deviation.value == 0.5);
  CHECK(deviation.worst == "at [0,0,1,0]: 3.5 instead of 3");
  CHECK(relative_error(actual, expected).value == doctest::Approx(0.5 / std::sqrt(30.0)));
  const Tensor nan = Tensor::full({1, 1, 2, 2}, std::nanf(""));
  CHECK_FALSE(max_error(nan, expected) <= 1e30);
  CHECK_FALSE(relative_error(nan, expected) <= 1e30);
  CHECK_FALSE(max_error(Tensor::zeros({1, 1, 1, 1}), expected) <= 1e30);
}
