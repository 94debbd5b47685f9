#include "kernels/parameter_update/parameter_update.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/guarded.h"

namespace mend::test {
namespace {

double plain_norm(const Tensors& tensors) {
  double squares = 0;
  for (const Tensor& tensor : tensors) {
    if (!tensor) continue;
    for (std::int64_t i = 0; i < tensor.shape().elements(); ++i) {
      const double number = tensor.view<const float>().data[i];
      squares += number * number;
    }
  }
  return std::sqrt(squares);
}

}  // namespace

TEST_CASE("parameter update: the norm is that of all numbers, with the same bits on any threads") {
  const Tensors gradients{random_tensor({1, 1, 1, 1}, 1), Tensor(),
                          random_tensor({1, 1, 1, kPieceNumbers}, 2),
                          random_tensor({64, 3, 3, 37}, 3), random_tensor({1, 1, 1, 255}, 4)};
  std::vector<double> norms;
  on_one_and_two_threads([&](int) {
    GradientNorm norm;
    norms.push_back(norm(gradients));
    norms.push_back(norm(gradients));
    norm(Tensors{gradients[0]});  // of other tensors meanwhile
    norms.push_back(norm(gradients));
  });
  CHECK(norms[0] == doctest::Approx(plain_norm(gradients)).epsilon(1e-13));
  for (const double norm : norms) CHECK(norm == norms[0]);
  CHECK(GradientNorm()(Tensors{Tensor()}) == 0);
}

TEST_CASE("parameter update: the norm is not finite exactly if a number is not") {
  const Tensor gradient = Tensor::full({1, 1, 7, 777}, std::numeric_limits<float>::max());
  GradientNorm norm;
  CHECK(std::isfinite(norm(Tensors{gradient})));  // its squares would overflow a float
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    for (const int w : {0, 3, 6}) {
      const Tensor with = gradient.clone();
      with.view<float>()(0, 0, w, 776) = bad;
      CHECK_FALSE(std::isfinite(norm(Tensors{random_tensor({1, 1, 1, 3}, 1), with})));
    }
  }
}

TEST_CASE(
    "parameter update: each number of each row follows its rule once, and rows may be left out") {
  Tensors to, from;
  std::vector<PieceRow> rows;
  for (const int numbers : {1, kPieceNumbers - 1, 3 * kPieceNumbers + 1}) {
    to.push_back(Tensor::full({1, 1, 1, numbers}, 2));
    from.push_back(random_tensor({1, 1, 1, numbers}, 1));
    rows.push_back({to.back(), from.back()});
  }
  TensorPieces pieces;
  pieces.assign(cpu(), rows);
  for_each_number(AddRule{}, pieces.of_rows(1, 3));
  for (std::size_t row = 0; row < to.size(); ++row) {
    for (std::int64_t i = 0; i < to[row].shape().elements(); ++i) {
      const float added = row == 0 ? 0 : from[row].view<const float>().data[i];
      REQUIRE(to[row].view<const float>().data[i] == 2 + added);
    }
  }
  pieces.assign(cpu(), {{from[0]}});
  const float before = from[0].view<const float>().data[0];
  for_each_number(ScaleRule{0.5}, pieces.all());
  CHECK(from[0].view<const float>().data[0] == before / 2);
  CHECK(from[1].view<const float>().data[0] ==
        random_tensor(from[1].shape(), 1).view<float>().data[0]);
}

}  // namespace mend::test
