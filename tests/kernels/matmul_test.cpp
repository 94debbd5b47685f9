#include "kernels/matmul/matmul.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "engine/plan.h"
#include "kernels/conv2d/conv2d.h"
#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

op::Conv2d pointwise(int outputs) {
  op::Conv2d conv;
  conv.outputs = outputs;
  return conv;
}

/// A stored [B,H,rows,columns] as it is.
Tensor matrices(const Golden& golden, const std::string& name) {
  const StoredTensor& stored = golden.stored.tensors.at(name);
  std::vector<int> s(stored.shape.begin(), stored.shape.end());
  return Tensor::from({s[0], s[1], s[2], s[3]}, stored.to_f32());
}

void check(const op::Matmul& matmul, const Tensor& a, const Tensor& b) {
  check_rungs(matmul_ladder(), matmul, {a, b},
              [&](MatmulKernel kernel, Inputs in, const Tensor& y, Scratch scratch) {
                kernel(matmul, in[0].view<const float>(), in[1].view<const float>(),
                       y.view<float>(), scratch);
              });
}

/// The product of an M x K and a K x N matrix, in all four layouts.
void check_layouts(int n, int h, int M, int K, int N) {
  for (const bool ta : {false, true})
    for (const bool tb : {false, true}) {
      const Tensor a = random_tensor(ta ? Shape{n, h, K, M} : Shape{n, h, M, K}, 1);
      const Tensor b = random_tensor(tb ? Shape{n, h, N, K} : Shape{n, h, K, N}, 2);
      check({ta, tb}, a, b);
    }
}

}  // namespace

TEST_CASE("matmul: equals the official implementation") {
  const struct {
    const char* file;
    op::Matmul matmul;
  } fixtures[] = {{"batched_nn", {}}, {"batched_nt", {false, true}}, {"batched_tn", {true, false}}};
  for (const auto& fixture : fixtures) {
    const std::string path =
        shared_path(std::string("goldens/ops/matmul__") + fixture.file + ".safetensors");
    if (!require_data(path)) return;
    CAPTURE(fixture.file);
    const Golden golden = load_golden(path);
    on_every_instruction_set([&](const std::string& target) {
      CAPTURE(target);
      const Tensor y =
          apply(fixture.matmul, {matrices(golden, "input"), matrices(golden, "input2")});
      CHECK(max_error(y, matrices(golden, "output")) <= 5e-6);
    });
  }
}

TEST_CASE("matmul: a linear layer is a 1x1 convolution") {
  const std::string path = shared_path("goldens/ops/linear__bias.safetensors");
  if (!require_data(path)) return;
  const Golden golden = load_golden(path);
  const Tensor weight = to_tensor(golden.weights.tensors.at("weight"));
  const Tensor y =
      apply(pointwise(11), {golden.at("input"), weight.reshaped({11, 1, 1, weight.shape().c}),
                            to_tensor(golden.weights.tensors.at("bias"))});
  CHECK(max_error(y, golden.at("output")) <= 2e-6);
}

TEST_CASE("matmul: every rung matches the reference") {
  check_layouts(1, 1, 1, 1, 1);
  check_layouts(2, 3, 7, 13, 5);
  check_layouts(1, 2, 6, 10, 64);
  check_layouts(1, 1, 13, 127, 65);
  check_layouts(1, 1, 61, 300, 33);
  check_layouts(2, 1, 200, 48, 48);
  check_layouts(1, 1, 3, 513, 129);
}

TEST_CASE("matmul: extents of 1 serve all matrices") {
  for (const bool ta : {false, true}) {
    const auto a = [&](int n, int h) {
      return random_tensor(ta ? Shape{n, h, 9, 11} : Shape{n, h, 11, 9}, 3);
    };
    const auto b = [](int n, int h) { return random_tensor({n, h, 9, 20}, 4); };
    check({ta, false}, a(2, 3), b(1, 1));
    check({ta, false}, a(2, 3), b(1, 3));
    check({ta, false}, a(1, 3), b(2, 1));
    check({ta, false}, a(1, 1), b(2, 3));
  }
}

TEST_CASE("matmul: NaN in either factor reaches the product") {
  const Tensor a = random_tensor({1, 1, 9, 70}, 5), b = random_tensor({1, 1, 70, 40}, 6);
  a.view<float>()(0, 0, 8, 69) = std::numeric_limits<float>::quiet_NaN();
  b.view<float>()(0, 0, 3, 39) = std::numeric_limits<float>::quiet_NaN();
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    const Tensor y = apply(op::Matmul{}, {a, b});
    const View<const float> got = y.view<const float>();
    for (int j = 0; j < 40; ++j) CHECK(std::isnan(got(0, 0, 8, j)));
    for (int i = 0; i < 9; ++i) CHECK(std::isnan(got(0, 0, i, 39)));
    CHECK(!std::isnan(got(0, 0, 7, 38)));
  });
}

TEST_CASE("matmul: a plan gives the numbers of the eager run") {
  const Tensor x = random_tensor({1, 2, 30, 24}, 7);
  const Network network = [](const std::vector<Tensor>& inputs) {
    const Tensor scores = apply(op::Matmul{false, true}, {inputs[0], inputs[0]});
    return std::vector<Tensor>{apply(op::Matmul{}, {scores, inputs[0]})};
  };
  Plan plan(network, {x.shape()});
  plan.poison();
  CHECK(identical(plan({x})[0], network({x})[0]));
}

TEST_CASE("matmul: matrices that do not fit are refused with both sides") {
  CHECK_THROWS_WITH_AS(
      op::Matmul({false, true}).shape({{1, 1, 4, 5}, {1, 1, 6, 7}}),
      "matmul: [1,1,4,5] and [1,1,6,7] transposed do not fit: the inner extents are 5 and 7, the "
      "outer two must be equal or 1",
      ShapeError);
  CHECK_THROWS_AS(op::Matmul{}.shape({{1, 2, 4, 5}, {1, 3, 5, 7}}), ShapeError);
  CHECK(op::Matmul({true, true}).shape({{1, 2, 5, 4}, {3, 1, 7, 5}}) == Shape{3, 2, 4, 7});
  CHECK(op::Matmul{}.cost({{1, 2, 4, 5}, {1, 2, 5, 7}}).flops == 2 * 2 * 4 * 5 * 7);
}

}  // namespace mend::test
