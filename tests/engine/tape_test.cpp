#include "engine/tape.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "engine/error.h"
#include "engine/plan.h"
#include "tests/engine/random_network.h"
#include "tests/engine/test_ops.h"

namespace mend::test {
namespace {

/// y = x · factor
struct Scale {
  static constexpr std::string_view kName = "scale";
  float factor = 1;

  Shape shape(const Shapes& in) const { return in[0]; }
  Cost cost(const Shapes& in) const { return {0, 2 * bytes_of(in[0])}; }
  Footprint footprint(const Shapes&) const { return {}; }
  void forward(Inputs inputs, const Tensor& y, Scratch) const {
    const View<const float> x = inputs[0].view<const float>();
    const View<float> to = y.view<float>();
    for_each(y.shape(),
             [&](int n, int h, int w, int c) { to(n, h, w, c) = factor * x(n, h, w, c); });
  }
  Tensors backward(const Backward& call) const { return {apply(*this, {call.dy})}; }
  Saves saves(const std::vector<bool>&) const { return {}; }
};

/// y = x · z, which saves what its gradient reads.
struct Product {
  static constexpr std::string_view kName = "product";

  Shape shape(const Shapes& in) const { return in[0]; }
  Cost cost(const Shapes& in) const { return {0, 3 * bytes_of(in[0])}; }
  Footprint footprint(const Shapes&) const { return {}; }
  void forward(Inputs inputs, const Tensor& y, Scratch) const {
    const View<const float> x = inputs[0].view<const float>(), z = inputs[1].view<const float>();
    const View<float> to = y.view<float>();
    for_each(y.shape(),
             [&](int n, int h, int w, int c) { to(n, h, w, c) = x(n, h, w, c) * z(n, h, w, c); });
  }
  Tensors backward(const Backward& call) const {
    Tensors gradients(2);
    if (call.wants(0)) gradients[0] = apply(*this, {call.dy, call.inputs[1]});
    if (call.wants(1)) gradients[1] = apply(*this, {call.dy, call.inputs[0]});
    return gradients;
  }
  Saves saves(const std::vector<bool>& wanted) const {
    return {.inputs = (wanted[0] ? 2u : 0u) | (wanted[1] ? 1u : 0u)};
  }
};

/// The channels [first, first + count) as a view; the others' gradient is 0.
struct Part {
  static constexpr std::string_view kName = "part";
  int first = 0, count = 1;

  Shape shape(const Shapes& in) const { return {in[0].n, in[0].h, in[0].w, count}; }
  Cost cost(const Shapes&) const { return {}; }
  Footprint footprint(const Shapes&) const { return {}; }
  void forward(Inputs, const Tensor&, Scratch) const {}
  std::optional<Tensor> view(const Tensor& x) const { return x.channels(first, count); }
  Tensors backward(const Backward& call) const {
    const Tensor dx = Tensor::zeros(call.inputs[0].shape());
    const View<const float> dy = call.dy.view<const float>();
    const View<float> to = dx.view<float>();
    for_each(dy.shape,
             [&](int n, int h, int w, int c) { to(n, h, w, first + c) = dy(n, h, w, c); });
    return {dx};
  }
  Saves saves(const std::vector<bool>&) const { return {}; }
};

const Shape kShape{1, 2, 3, 4};
Tensor numbers(int seed) { return small_integers(kShape, seed); }
Tensor ones() { return Tensor::full(kShape, 1); }
std::shared_ptr<GradientTape> tape_of_sums() { return std::make_shared<GradientTape>(Sum{}); }

bool same(const Tensor& a, const Tensor& b) {
  bool equal = a.shape() == b.shape();
  if (!equal) return false;
  for_each(a.shape(), [&](int n, int h, int w, int c) {
    equal = equal && a.view<const float>()(n, h, w, c) == b.view<const float>()(n, h, w, c);
  });
  return equal;
}

}  // namespace

TEST_CASE("tape: a tensor that is read several times gets the sum of its gradients") {
  const auto tape = tape_of_sums();
  const Tensor x = tape->watch(numbers(1));
  // A diamond: y = 2x · 3x, dy/dx = 12x.
  const Tensor y = apply(Product{}, {apply(Scale{2}, {x}), apply(Scale{3}, {x})});
  const Tensors gradients = tape->gradients({y}, {ones()}, {x});
  CHECK(same(gradients[0], apply(Scale{12}, {numbers(1)})));
  CHECK_FALSE(gradients[0].tape());
}

TEST_CASE("tape: an operation that reads one tensor twice has both gradients") {
  const auto tape = tape_of_sums();
  const Tensor x = tape->watch(numbers(1));
  const Tensors gradients = tape->gradients({apply(Product{}, {x, x})}, {ones()}, {x});
  CHECK(same(gradients[0], apply(Scale{2}, {numbers(1)})));
}

TEST_CASE("tape: several outputs add up, and what no output depends on has no gradient") {
  const auto tape = tape_of_sums();
  const Tensor x = tape->watch(numbers(1)), z = tape->watch(numbers(2));
  const Tensor unused = apply(Scale{5}, {z});
  const Tensor y = apply(Scale{2}, {x});
  const Tensors gradients =
      tape->gradients({y, apply(Scale{10}, {y}), x}, {ones(), ones(), ones()}, {x, z, unused});
  CHECK(same(gradients[0], Tensor::full(kShape, 2 + 20 + 1)));
  CHECK_FALSE(gradients[1].defined());
  CHECK_FALSE(gradients[2].defined());
}

TEST_CASE("tape: the gradient of what was computed on the way can be asked for too") {
  const auto tape = tape_of_sums();
  const Tensor x = tape->watch(numbers(1));
  const Tensor between = apply(Scale{3}, {x});
  const Tensors gradients =
      tape->gradients({apply(Product{}, {between, between})}, {ones()}, {between, x});
  CHECK(same(gradients[0], apply(Scale{6}, {numbers(1)})));
  CHECK(same(gradients[1], apply(Scale{18}, {numbers(1)})));
}

TEST_CASE("tape: views are steps like others") {
  const auto tape = tape_of_sums();
  const Tensor x = tape->watch(numbers(1));
  const Tensor y = apply(Scale{7}, {apply(Part{1, 2}, {x})});
  const Tensors gradients = tape->gradients({y}, {Tensor::full({1, 2, 3, 2}, 1)}, {x});
  for_each(kShape, [&](int n, int h, int w, int c) {
    CHECK(gradients[0].view<const float>()(n, h, w, c) == (c == 1 || c == 2 ? 7 : 0));
  });
}

TEST_CASE("tape: an operation without a gradient is an error that names it and its layer") {
  const Tensor weight = numbers(2).named("body.3.conv.weight");
  {
    const auto tape = tape_of_sums();
    const Tensor x = tape->watch(numbers(1));
    const Tensor y = apply(Sum{}, {x, weight});
    CHECK_THROWS_WITH_AS(tape->gradients({y}, {ones()}, {x}),
                         "gradient: sum (body.3.conv) has none, and a trained parameter lies "
                         "behind it",
                         UsageError);
  }
  // Beside the way it does no harm.
  const auto tape = tape_of_sums();
  const Tensor x = tape->watch(numbers(1)), z = tape->watch(numbers(3));
  const Tensor aside = apply(Sum{}, {z, weight});
  const Tensor y = apply(Product{}, {x, aside});
  CHECK(same(tape->gradients({y}, {ones()}, {x})[0], apply(Sum{}, {numbers(3), numbers(2)})));
}

TEST_CASE("tape: it keeps the pixels that gradients read, and no others, and lets go of them") {
  const auto tape = tape_of_sums();
  std::weak_ptr<Storage> factor, scaled, result;
  Tensor x = tape->watch(numbers(1)), y;
  {
    const Tensor z = numbers(2);
    const Tensor first = apply(Scale{2}, {x});
    const Tensor second = apply(Product{}, {first, z});
    y = apply(Scale{3}, {second});
    factor = z.storage();
    scaled = first.storage();
    result = second.storage();
  }
  CHECK(tape->steps() == 3);
  CHECK_FALSE(factor.expired());  // the gradient of the product with respect to `first`
  CHECK(scaled.expired());        // nobody asks for the gradient with respect to z
  CHECK(result.expired());
  tape->gradients({y}, {ones()}, {x});
  CHECK(tape->steps() == 0);
  CHECK(factor.expired());
}

TEST_CASE("tape: a tape that nobody needs any more goes with all that it kept") {
  std::weak_ptr<GradientTape> gone;
  {
    const auto tape = tape_of_sums();
    gone = tape;
    const Tensor x = tape->watch(numbers(1));
    const Tensor y = apply(Product{}, {apply(Scale{2}, {x}), x});
    const auto trace = std::make_shared<Trace>();
    apply(Sum{}, {trace->input(kShape), x});
  }
  CHECK(gone.expired());
}

TEST_CASE("tape: placeholders give a plan of forward and backward") {
  const auto step = [](const Tensors& inputs) {
    const auto tape = tape_of_sums();
    const Tensor x = tape->watch(inputs[0]), weight = tape->watch(inputs[1]);
    const Tensor y = apply(Product{}, {apply(Scale{2}, {x}), weight});
    Tensors results = tape->gradients({y}, {inputs[2]}, {x, weight});
    results.push_back(y.taped(nullptr));
    return results;
  };
  const Tensors inputs = {numbers(1), numbers(2), numbers(3)};
  Plan plan(step, {kShape, kShape, kShape});
  plan.poison();
  const Tensors eager = step(inputs), planned = plan(inputs);
  REQUIRE(planned.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(same(planned[i], eager[i]));
}

TEST_CASE("tape: cotangents that do not fit are refused") {
  const auto tape = tape_of_sums();
  const Tensor x = tape->watch(numbers(1));
  const Tensor y = apply(Scale{2}, {x});
  CHECK_THROWS_WITH_AS(tape->gradients({y}, {}, {x}), "gradient: 0 cotangents for 1 outputs",
                       ShapeError);
  CHECK_THROWS_WITH_AS(tape->gradients({y}, {Tensor::zeros({1, 2, 3, 1})}, {x}),
                       "gradient: output 0 is [1,2,3,4], but its cotangent [1,2,3,1]", ShapeError);
}

}  // namespace mend::test
