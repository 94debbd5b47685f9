#include "kernels/elementwise/elementwise.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "engine/passes.h"
#include "kernels/channels/channels.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

constexpr BinaryKind kKinds[] = {BinaryKind::kAdd,    BinaryKind::kSubtract, BinaryKind::kMultiply,
                                 BinaryKind::kDivide, BinaryKind::kMinimum,  BinaryKind::kMaximum,
                                 BinaryKind::kPower};

const Shape kAwkward[] = {{1, 1, 1, 1},  {1, 1, 7, 3},   {2, 5, 7, 1},     {1, 3, 7, 127},
                          {2, 3, 5, 16}, {1, 4, 33, 64}, {1, 1, 1000, 48}, {1, 2, 9000, 3}};

/// The bases of powers are positive.
Tensor base(BinaryKind kind, const Tensor& x) {
  if (kind != BinaryKind::kPower) return x;
  const View<float> values = x.view<float>();
  for (std::int64_t i = 0; i < x.shape().elements(); ++i) {
    values.data[i] = std::abs(values.data[i]);
  }
  return x;
}

void check_binary(BinaryKind kind, const Shape& x, const Shape& z) {
  check_rungs(binary_ladder(), op::Binary{kind},
              {base(kind, random_tensor(x, 1)), random_tensor(z, 2)},
              [&](BinaryKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                kernel(op::Binary{kind}, inputs[0].view<const float>(),
                       inputs[1].view<const float>(), y.view<float>());
              });
}

float only(const Tensor& x) { return x.view<const float>()(0, 0, 0, 0); }

}  // namespace

TEST_CASE("affine: every rung matches the reference") {
  const op::Affine kCases[] = {
      {2.5f}, {0.2f, 0.5f}, {255.0f, 0.5f, 0.0f, 255.0f}, {1.0f, 0.0f, -0.25f}};
  for (const op::Affine& affine : kCases) {
    for (const Shape& shape : kAwkward) {
      check_rungs(affine_ladder(), affine, {random_tensor(shape, 3)},
                  [&](AffineKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                    kernel(affine, inputs[0].view<const float>(), y.view<float>());
                  });
    }
  }
}

TEST_CASE("affine: NaN stays NaN, infinity is bounded") {
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    for (const int channels : {1, 19}) {
      const Tensor x = Tensor::full({1, 1, 1, channels}, kNaN);
      CHECK(std::isnan(only(apply(op::Affine{1, 0, 0, 1}, {x}))));
      const Tensor much = Tensor::full({1, 1, 1, channels}, kInfinity);
      CHECK(only(apply(op::Affine{1, 0, 0, 1}, {much})) == 1.0f);
      CHECK(only(apply(op::Affine{-1, 0, 0, 1}, {much})) == 0.0f);
    }
  });
}

TEST_CASE("affine: absorbs an affine step behind it unless it has bounds itself") {
  const op::Affine scale{2.0f, 1.0f};
  const std::optional<Fusion> fusion = scale.absorb(op::Affine{3.0f, 0.5f, 0.0f, 4.0f}, 0, {});
  REQUIRE(fusion);
  const op::Affine* both = fusion->op.as<op::Affine>();
  REQUIRE(both != nullptr);
  CHECK(both->scale == 6.0f);
  CHECK(both->offset == 3.5f);
  CHECK(both->high == 4.0f);
  CHECK_FALSE(op::Affine{1.0f, 0.0f, 0.0f, 1.0f}.absorb(scale, 0, {}));
  CHECK_FALSE(scale.absorb(op::Binary{}, 0, {}));
}

TEST_CASE("binary: every rung matches the reference") {
  for (const BinaryKind kind : kKinds) {
    for (const Shape& shape : kAwkward) check_binary(kind, shape, shape);
  }
}

TEST_CASE("binary: extents of 1 stand for all") {
  for (const BinaryKind kind : kKinds) {
    for (const Shape& s : {Shape{2, 3, 7, 5}, Shape{2, 2, 3, 127}, Shape{3, 4, 9, 1}}) {
      const Shape vector = vector_shape(s.c), map{s.n, s.h, s.w, 1}, gate{s.n, 1, 1, s.c};
      const Shape shared_map{1, s.h, s.w, 1}, row{1, 1, s.w, s.c}, number{1, 1, 1, 1};
      for (const Shape& other : {vector, map, gate, shared_map, row, number}) {
        check_binary(kind, s, other);
        check_binary(kind, other, s);
      }
    }
    check_binary(kind, {1, 5, 1, 3}, {2, 1, 4, 1});
  }
}

TEST_CASE("binary: minimum and maximum give NaN where either is NaN") {
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    for (const int channels : {1, 19}) {
      const Shape shape{1, 1, 1, channels};
      const Tensor one = Tensor::full(shape, 1.0f), nan = Tensor::full(shape, kNaN);
      for (const BinaryKind kind : {BinaryKind::kMinimum, BinaryKind::kMaximum}) {
        CHECK(std::isnan(only(apply(op::Binary{kind}, {one, nan}))));
        CHECK(std::isnan(only(apply(op::Binary{kind}, {nan, one}))));
      }
    }
  });
}

TEST_CASE("binary: powers of all bases have the error that the contract says") {
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    for (const float z : {0.0f, 1.0f, 0.5f, -0.37f, 2.2f, -3.0f}) {
      CAPTURE(z);
      double worst = 0;
      for (int exponent = -24; exponent <= 24; ++exponent) {
        const Tensor x = Tensor::empty({1, 1, 37, 27});
        for (int i = 0; i < 999; ++i) {
          x.view<float>().data[i] = std::ldexp(1.0f + static_cast<float>(i) / 999, exponent);
        }
        const Tensor y = apply(op::Binary{BinaryKind::kPower}, {x, Tensor::full({1, 1, 1, 1}, z)});
        for (int i = 0; i < 999; ++i) {
          const double base = x.view<float>().data[i], expected = std::pow(base, z);
          const double error = std::abs(y.view<float>().data[i] - expected) / expected;
          worst = std::max(worst, error / (1 + std::abs(z * std::log(base))));
        }
      }
      CHECK(worst <= 3e-7);
    }
  });
}

TEST_CASE("binary: powers of 0, infinity, negative numbers and NaN") {
  const auto power = [](float x, float z, int channels) {
    const Shape shape{1, 1, 1, channels};
    return only(
        apply(op::Binary{BinaryKind::kPower}, {Tensor::full(shape, x), Tensor::full(shape, z)}));
  };
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    for (const int channels : {1, 19}) {
      CHECK(power(0, 0.5f, channels) <= 1.2e-38f);
      CHECK(power(-0.0f, 0.5f, channels) <= 1.2e-38f);
      CHECK(power(0, 0, channels) == 1);
      CHECK(power(0, -1, channels) >= 1e38f);
      CHECK(power(kInfinity, 0.5f, channels) >= 1e38f);
      CHECK(power(kInfinity, -0.5f, channels) <= 1.2e-38f);
      CHECK(power(1, 0.3f, channels) == 1);
      CHECK(std::isnan(power(-1, 0.5f, channels)));
      CHECK(std::isnan(power(kNaN, 0.5f, channels)));
      CHECK(std::isnan(power(0.5f, kNaN, channels)));
    }
  });
}

TEST_CASE("binary: the product of both halves of the channels equals the official gate") {
  const std::string path = shared_path("goldens/ops/simple_gate__chunk2.safetensors");
  if (!require_data(path)) return;
  const Golden golden = load_golden(path);
  const Tensor& x = golden.at("input");
  const int half = x.shape().c / 2;
  const Tensor first = apply(op::SliceChannels{0, half}, {x});
  const Tensor second = apply(op::SliceChannels{half, half}, {x});
  const Tensor y = apply(op::Binary{BinaryKind::kMultiply}, {first, second});
  CHECK(max_error(y, golden.at("output")) <= 1e-6);
}

TEST_CASE("binary: extents that do not fit are refused with both shapes") {
  CHECK_THROWS_WITH_AS(op::Binary{}.shape({{1, 4, 4, 3}, {1, 4, 4, 2}}),
                       "add: [1,4,4,3] and [1,4,4,2] do not fit: extents must be equal or 1",
                       ShapeError);
}

TEST_CASE("affine, binary: cost is one pass over memory, and a pixel sees itself") {
  const Shape x{1, 8, 9, 10}, vector = vector_shape(10);
  CHECK(op::Affine{}.cost({x}).bytes == 2 * 720 * 4);
  CHECK(op::Binary{}.cost({x, vector}).flops == 720);
  CHECK(op::Binary{}.cost({x, vector}).bytes == (2 * 720 + 10) * 4);
  CHECK(op::Affine{}.footprint({x}) == Footprint{});
  CHECK(op::Binary{}.footprint({x, x}) == Footprint{});
}

}  // namespace mend::test
