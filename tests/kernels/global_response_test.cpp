#include "kernels/normalization/global_response.h"

#include <doctest/doctest.h>

#include "engine/error.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {

TEST_CASE("global_response_norm: every rung matches the reference") {
  const op::GlobalResponseNorm norm;
  for (const int channels : {1, 3, 16, 37}) {
    for (const Shape& shape : {Shape{1, 1, 1, channels}, Shape{2, 5, 7, channels}}) {
      const Tensor x = random_tensor(shape, 1);
      const Tensor gamma = random_tensor(vector_shape(channels), 2);
      const Tensor beta = random_tensor(vector_shape(channels), 3);
      check_rungs(
          global_response_norm_ladder(), norm, {x, gamma, beta},
          [&](GlobalResponseNormKernel kernel, Inputs in, const Tensor& y, Scratch scratch) {
            kernel(norm, in[0].view<const float>(), in[1].view<const float>(),
                   in[2].view<const float>(), y.view<float>(), scratch);
          });
    }
  }
}

TEST_CASE("global_response_norm: a channel's factor is its share of the mean response") {
  // Responses √(3² + 4²) = 5 and √(12² + 9²) = 15, mean 10: shares 1/2 and 3/2.
  const Tensor x = Tensor::from({1, 1, 2, 2}, std::vector<float>{3, 12, 4, 9});
  const Tensor gamma = Tensor::full(vector_shape(2), 1), beta = Tensor::full(vector_shape(2), 0.5f);
  const Tensor y = apply(op::GlobalResponseNorm{}, {x, gamma, beta});
  const std::vector<float> expected = {5, 30.5f, 6.5f, 23};
  CHECK(max_error(y, Tensor::from({1, 1, 2, 2}, expected)) <= 1e-5);
}

TEST_CASE("global_response_norm: gamma and beta that do not fit are refused; it is global") {
  const op::GlobalResponseNorm norm;
  CHECK_THROWS_AS(norm.shape({{1, 2, 2, 3}, vector_shape(2), vector_shape(3)}), ShapeError);
  CHECK(norm.footprint({{1, 2, 2, 3}}).global);
}

}  // namespace mend::test
