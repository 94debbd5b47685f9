#include "kernels/conv2d_pair/conv2d_pair.h"

#include <doctest/doctest.h>

#include "engine/error.h"
#include "tests/kernels/conv2d_cases.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {

TEST_CASE("conv2d_pair: the reference is conv2d twice") {
  const Shape x{2, 9, 11, 5};
  op::Conv2dPair pair{with(conv(3, 7, 1, 2), {ActivationKind::kPrelu}, 0.5f),
                      with(oblong(1, 5, 0, 2, 4), {ActivationKind::kGelu}, -2)};
  pair.second.adds_residual = true;
  const Tensors inputs{random_tensor(x, 1),
                       random_tensor({7, 3, 3, 5}, 2),
                       random_tensor(vector_shape(7), 3),
                       random_tensor(vector_shape(7), 4),
                       random_tensor({4, 1, 5, 7}, 5),
                       Tensor(),
                       Tensor(),
                       random_tensor({2, 5, 6, 4}, 6)};
  const Tensor middle = apply(pair.first, {inputs[0], inputs[1], inputs[2], inputs[3]});
  const Tensor expected = apply(pair.second, {middle, inputs[4], inputs[5], inputs[6], inputs[7]});
  CHECK(relative_error(mend::apply(pair, inputs), expected) <= 1e-5);
}

TEST_CASE("conv2d_pair: it sees as far as the two, and moves no image between them") {
  const op::Conv2dPair pair{conv(3, 16, 1), conv(3, 16, 1)};
  const Shape x{1, 20, 30, 16}, weight{16, 3, 3, 16};
  const Shapes in{x, weight, {}, {}, weight};
  CHECK(pair.shape(in) == x);
  CHECK(pair.footprint(in).radius == 2);
  const Cost one = pair.first.cost({x, weight}), both = pair.cost(in);
  CHECK(both.flops == 2 * one.flops);
  const double image = static_cast<double>(x.elements()) * sizeof(float);
  CHECK(both.bytes == 2 * one.bytes - 2 * image);
}

TEST_CASE("conv2d_pair: what does not fit is refused") {
  const Shape x{1, 6, 6, 8}, weight{8, 3, 3, 8};
  const Shapes in{x, weight, {}, {}, weight};
  op::Conv2dPair residual{conv(3, 8, 1), conv(3, 8, 1)};
  residual.first.adds_residual = true;
  CHECK_THROWS_WITH_AS(residual.shape(in), doctest::Contains("residual"), ShapeError);
  op::Conv2dPair types{conv(3, 8, 1), conv(3, 8, 1)};
  types.second.type = DType::kF16;
  CHECK_THROWS_WITH_AS(types.shape(in), doctest::Contains("types"), ShapeError);
  const op::Conv2dPair channels{conv(3, 9, 1), conv(3, 8, 1)};
  CHECK_THROWS_AS(channels.shape(in), ShapeError);
}

}  // namespace mend::test
