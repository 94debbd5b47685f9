#include "kernels/normalization/adaptive_instance.h"

#include <doctest/doctest.h>

#include "engine/error.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {

TEST_CASE("adaptive_instance_norm: every rung matches the reference") {
  const op::AdaptiveInstanceNorm norm;
  for (const int channels : {1, 3, 16, 37, 127}) {
    for (const Shape& shape : {Shape{1, 1, 2, channels}, Shape{2, 5, 7, channels}}) {
      check_rungs(adaptive_instance_norm_ladder(), norm,
                  {random_tensor(shape, 1), random_tensor({shape.n, 4, 3, channels}, 2)},
                  [&](AdaptiveInstanceNormKernel kernel, Inputs in, const Tensor& y, Scratch) {
                    kernel(norm.eps, in[0].view<const float>(), in[1].view<const float>(),
                           y.view<float>());
                  });
    }
  }
}

TEST_CASE("adaptive_instance_norm: mean and unbiased deviation come from the style") {
  // x: mean 2, variance 2; style: mean 10, variance 32. So y = (x − 2) · 4 + 10.
  const Tensor x = Tensor::from({1, 1, 2, 1}, std::vector<float>{1, 3});
  const Tensor style = Tensor::from({1, 2, 1, 1}, std::vector<float>{6, 14});
  const Tensor y = apply(op::AdaptiveInstanceNorm{.eps = 0}, {x, style});
  CHECK(max_error(y, Tensor::from({1, 1, 2, 1}, std::vector<float>{6, 14})) <= 1e-6);
  const Tensor flat = Tensor::full({1, 3, 3, 1}, 0.1f);  // no deviation but eps
  const Tensor z = apply(op::AdaptiveInstanceNorm{}, {flat, style});
  CHECK(max_error(z, Tensor::full({1, 3, 3, 1}, 10)) <= 1e-5);
}

TEST_CASE("adaptive_instance_norm: a style that does not fit is refused; it is global") {
  const op::AdaptiveInstanceNorm norm;
  CHECK_THROWS_AS(norm.shape({{1, 2, 2, 3}, {1, 2, 2, 4}}), ShapeError);
  CHECK_THROWS_AS(norm.shape({{2, 2, 2, 3}, {1, 2, 2, 3}}), ShapeError);
  CHECK_THROWS_AS(norm.shape({{1, 1, 1, 3}, {1, 2, 2, 3}}), ShapeError);
  CHECK_THROWS_AS(norm.shape({{1, 2, 2, 3}, {1, 1, 1, 3}}), ShapeError);
  CHECK(norm.footprint({}).global);
}

}  // namespace mend::test
