// The CUDA rungs of elementwise operations, their gradients and sums against the reference on the CPU.
#include "kernels/elementwise/elementwise.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "kernels/elementwise/gradient.h"
#include "tests/gpu/gpu_rungs.h"

namespace mend::test {
namespace {

constexpr BinaryKind kKinds[] = {BinaryKind::kAdd,    BinaryKind::kSubtract, BinaryKind::kMultiply,
                                 BinaryKind::kDivide, BinaryKind::kMinimum,  BinaryKind::kMaximum,
                                 BinaryKind::kPower};
constexpr Shape kAwkward[] = {{2, 3, 5, 7}, {1, 4, 3, 1}, {2, 5, 3, 24}, {1, 1, 1, 1}};

void check_binary(BinaryKind kind, const Shape& x, const Shape& z) {
  // Positive: a power has a number, a quotient no pole.
  const auto positive = [](const Shape& shape, std::uint64_t seed) {
    return apply(op::Affine{0.5f, 1.0f}, {random_tensor(shape, seed)});
  };
  check_gpu_rungs(binary_ladder(), op::Binary{kind}, {positive(x, 1), positive(z, 2)},
                  [&](BinaryKernel kernel, Inputs in, const Tensor& y) {
                    kernel(op::Binary{kind}, in[0].view<const float>(), in[1].view<const float>(),
                           y.view<float>());
                  });
}

void check_sum(const op::SumTo& op, const std::vector<Tensor>& inputs) {
  check_gpu_rungs(sum_to_ladder(), op, inputs, [&](SumToKernel kernel, Inputs in, const Tensor& y) {
    kernel(op, in[0].view<const float>(),
           in.size() > 1 ? in[1].view<const float>() : View<const float>{}, y.view<float>(),
           Scratch{});
  });
}

/// Numbers of which none is negative, so that sums are not what is left of large terms.
Tensor filled(const Shape& shape, std::uint64_t seed) {
  return apply(op::Affine{0.5f, 0.6f}, {random_tensor(shape, seed)});
}

void check_sums(const Shape& x, const Shape& to) {
  check_sum({to}, {filled(x, 1)});
  check_sum({to}, {filled(x, 1), filled(x, 2)});
  check_sum({to, true}, {filled(x, 1), random_tensor(x, 2)});
}

}  // namespace

TEST_CASE("elementwise on the GPU: affine and its gradient match the reference") {
  constexpr op::Affine kCases[] = {{2.5f}, {0.2f, 0.5f}, {255.0f, 0.5f, 0.0f, 255.0f}};
  for (const Shape& shape : kAwkward) {
    for (const op::Affine& affine : kCases) {
      check_gpu_rungs(affine_ladder(), affine, {random_tensor(shape, 3)},
                      [&](AffineKernel kernel, Inputs in, const Tensor& y) {
                        kernel(affine, in[0].view<const float>(), y.view<float>());
                      });
    }
    const op::AffineGradient gradient{2.0f, 0.25f, 0.0f, 1.0f};
    check_gpu_rungs(
        affine_gradient_ladder(), gradient, {random_tensor(shape, 1), random_tensor(shape, 2)},
        [&](AffineGradientKernel kernel, Inputs in, const Tensor& y) {
          kernel(gradient, in[0].view<const float>(), in[1].view<const float>(), y.view<float>());
        });
  }
}

TEST_CASE("elementwise on the GPU: every binary matches the reference, broadcast in every way") {
  for (const Shape& y : kAwkward) {
    for (const BinaryKind kind : kKinds) check_binary(kind, y, y);
    for (int broadcast = 1; broadcast < 16; ++broadcast) {
      const Shape z{broadcast & 1 ? 1 : y.n, broadcast & 2 ? 1 : y.h, broadcast & 4 ? 1 : y.w,
                    broadcast & 8 ? 1 : y.c};
      check_binary(BinaryKind::kSubtract, y, z);
      check_binary(BinaryKind::kDivide, z, y);
    }
    check_binary(BinaryKind::kMultiply, {y.n, 1, 1, y.c}, {1, y.h, y.w, 1});
  }
}

TEST_CASE("elementwise on the GPU: a NaN stays a NaN where it is compared") {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  const Tensor nothing = to_gpu(Tensor::full(vector_shape(4), kNaN));
  const Tensor one = to_gpu(Tensor::full(vector_shape(4), 1));
  const auto is_nan = [](const Tensor& y) {
    return std::isnan(to_host(y).view<const float>().data[3]);
  };
  for (const BinaryKind kind : {BinaryKind::kMinimum, BinaryKind::kMaximum}) {
    CHECK(is_nan(apply(op::Binary{kind}, {nothing, one})));
    CHECK(is_nan(apply(op::Binary{kind}, {one, nothing})));
  }
  CHECK(is_nan(apply(op::Affine{1, 0, 0, 1}, {nothing})));
  CHECK(is_nan(apply(op::SumTo{vector_shape(4), true}, {one, nothing})));
}

TEST_CASE("elementwise on the GPU: the gradient of extrema matches the reference") {
  for (const bool maximum : {false, true}) {
    const op::ExtremumGradient op{maximum};
    const auto check = [&](const Tensor& x, const Tensor& z, const Shape& y) {
      check_gpu_rungs(extremum_gradient_ladder(), op, {x, z, random_tensor(y, 3)},
                      [&](ExtremumGradientKernel kernel, Inputs in, const Tensor& to) {
                        kernel(op, in[0].view<const float>(), in[1].view<const float>(),
                               in[2].view<const float>(), to.view<float>());
                      });
    };
    for (const Shape& y : kAwkward) {
      const Tensor x = random_tensor(y, 1);
      check(x, random_tensor(y, 2), y);
      check(x, x, y);
      check(x, random_tensor({1, 1, 1, y.c}, 2), y);
      check(random_tensor({1, y.h, y.w, 1}, 2), x, y);
    }
  }
}

TEST_CASE("elementwise on the GPU: sums to any extents match the reference") {
  for (const Shape& x : kAwkward) {
    for (int kept = 0; kept < 16; ++kept) {
      check_sums(x,
                 {kept & 1 ? x.n : 1, kept & 2 ? x.h : 1, kept & 4 ? x.w : 1, kept & 8 ? x.c : 1});
    }
  }
}

TEST_CASE("elementwise on the GPU: long sums, of many blocks and two passes") {
  constexpr Shape kLong[] = {{2, 61, 47, 24}, {1, 97, 83, 3}, {3, 40, 29, 4}, {1, 9, 70, 300}};
  for (const Shape& x : kLong) {
    for (const Shape& to : {Shape{1, 1, 1, x.c}, Shape{x.n, 1, 1, x.c}, Shape{1, 1, 1, 1},
                            Shape{x.n, 1, 1, 1}, Shape{1, x.h, 1, x.c}}) {
      check_sum({to}, {filled(x, 1)});
    }
  }
  check_sums({2, 61, 47, 24}, vector_shape(24));
  check_sums({2, 61, 47, 24}, vector_shape(1));
  check_sum({vector_shape(1028)}, {filled({2, 5, 9, 1028}, 1)});  // more than a tile of channels
}

}  // namespace mend::test
