#include "kernels/grid_sample/grid_sample.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

struct Named {
  op::GridSample op;
  std::string name;  ///< in the fixture
};

std::vector<Named> all_kinds() {
  std::vector<Named> kinds;
  for (const auto& [mode, mode_name] : {std::pair{SampleMode::kBilinear, "bilinear"},
                                        {SampleMode::kNearest, "nearest"},
                                        {SampleMode::kBicubic, "bicubic"}})
    for (const auto& [padding, padding_name] : {std::pair{SamplePadding::kZeros, "_zeros"},
                                                {SamplePadding::kBorder, "_border"},
                                                {SamplePadding::kReflection, "_reflection"}})
      for (const bool align_corners : {false, true}) {
        kinds.push_back(
            {{mode, padding, align_corners},
             std::string(mode_name) + padding_name + (align_corners ? "_align_corners" : "")});
      }
  return kinds;
}

auto call_kernel(const op::GridSample& op) {
  return [op](GridSampleKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
    kernel(op, inputs[0].view<const float>(), inputs[1].view<const float>(), y.view<float>());
  };
}

}  // namespace

TEST_CASE("grid_sample: equals the official implementation") {
  const Golden golden = load_golden(data_path("ops/grid_sample.safetensors"));
  for (const auto& [op, name] : all_kinds()) {
    CAPTURE(name);
    for (const auto& rung : grid_sample_ladder()) {
      if (rung.device != DeviceKind::kCpu) continue;
      CAPTURE(rung.name);
      const Tensor y = Tensor::empty(golden.at(name).shape());
      rung.kernel(op, golden.at("input").view<const float>(), golden.at("grid").view<const float>(),
                  y.view<float>());
      CHECK(max_error(y, golden.at(name)) <= 1e-6);
    }
  }
}

TEST_CASE("grid_sample: every rung matches the reference") {
  for (const auto& [op, name] : all_kinds()) {
    const auto check = [&op = op](const Shape& x, const Shape& grid) {
      const Tensor positions = random_tensor(grid, 2);
      const View<float> g = positions.view<float>();
      for (std::int64_t i = 0; i < grid.elements(); ++i) g.data[i] *= 3;  // also far outside
      check_rungs(grid_sample_ladder(), op, {random_tensor(x, 1), positions}, call_kernel(op));
    };
    check({1, 1, 1, 1}, {1, 2, 3, 2});
    check({2, 5, 7, 3}, {2, 3, 11, 2});
    check({1, 37, 1, 65}, {1, 4, 5, 2});
    check({1, 8, 9, 64}, {1, 1, 13, 2});
  }
}

TEST_CASE("grid_sample: the identity grid gives the image") {
  const Tensor x = random_tensor({1, 4, 5, 3}, 1);
  const Tensor grid = Tensor::empty({1, 4, 5, 2});
  for (int h = 0; h < 4; ++h)
    for (int w = 0; w < 5; ++w) {
      grid.view<float>()(0, h, w, 0) = static_cast<float>(w) / 2 - 1;
      grid.view<float>()(0, h, w, 1) = static_cast<float>(2 * h) / 3 - 1;
    }
  const op::GridSample op{SampleMode::kNearest, SamplePadding::kZeros, true};
  CHECK(identical(apply(op, {x, grid}), x));
}

TEST_CASE("grid_sample: a position that is not finite gives NaN, far ones their padding") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Tensor x = Tensor::full({1, 3, 3, 2}, 0.5f);
  const std::vector<float> positions = {
      std::numeric_limits<float>::quiet_NaN(), 0, 0, -kInfinity, 3e38f, 0, 0, -3e38f};
  const Tensor grid = Tensor::from({1, 1, 4, 2}, positions);
  for (const auto& [op, name] : all_kinds()) {
    CAPTURE(name);
    for (const auto& rung : grid_sample_ladder()) {
      if (rung.device != DeviceKind::kCpu) continue;
      const Tensor y = Tensor::empty({1, 1, 4, 2});
      rung.kernel(op, x.view<const float>(), grid.view<const float>(), y.view<float>());
      const View<const float> got = y.view<const float>();
      const float outside = op.padding == SamplePadding::kZeros ? 0.0f : 0.5f;
      CHECK(std::isnan(got(0, 0, 0, 1)));
      CHECK(std::isnan(got(0, 0, 1, 0)));
      CHECK(got(0, 0, 2, 0) == doctest::Approx(outside));
      CHECK(got(0, 0, 3, 1) == doctest::Approx(outside));
    }
  }
}

TEST_CASE("grid_sample: a grid that does not fit is refused with both sides") {
  CHECK_THROWS_WITH_AS((op::GridSample{}.shape({{2, 4, 4, 3}, {1, 4, 4, 2}})),
                       "grid_sample: the grid for [2,4,4,3] must be [2,P,Q,2], but it is [1,4,4,2]",
                       ShapeError);
  CHECK_THROWS_AS((op::GridSample{}.shape({{1, 4, 4, 3}, {1, 4, 4, 3}})), ShapeError);
  CHECK(op::GridSample{}.footprint({{1, 4, 4, 3}, {1, 4, 4, 2}}).global);
}

}  // namespace mend::test
