#include "engine/op.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "engine/trace.h"
#include "tests/engine/random_network.h"
#include "tests/engine/test_ops.h"

namespace mend::test {
namespace {

/// Notes the names of what is applied, and keeps the outputs on the tape.
class NotingTape : public Tape, public std::enable_shared_from_this<NotingTape> {
 public:
  Tensor record(const AnyOp& op, Inputs inputs, const Tensor& y) override {
    noted.push_back(std::string(op.name()) + " of " + std::to_string(inputs.size()));
    return y.taped(shared_from_this());
  }

  std::vector<std::string> noted;
};

}  // namespace

TEST_CASE("apply: plain tensors run at once, with scratch where an operation needs it") {
  const Tensor x = small_integers({1, 3, 3, 2}, 1);
  const Tensor y = apply(Max3{}, {apply(Shift{2}, {x})});
  CHECK(y.shape() == x.shape());
  CHECK_FALSE(y.is_placeholder());
  float most = -100;
  for_each(x.shape(), [&](int, int h, int w, int c) {
    if (c == 0) most = std::max(most, x.view<const float>()(0, h, w, 0));
  });
  CHECK(y.view<const float>()(0, 1, 1, 0) == most + 2);
}

TEST_CASE("apply: a view operation copies nothing") {
  const Tensor x = small_integers({1, 3, 3, 4}, 1);
  CHECK(apply(Slice{1, 2}, {x}).storage() == x.storage());
}

TEST_CASE("apply: what is computed from a tensor on a tape is noted") {
  const auto tape = std::make_shared<NotingTape>();
  const Tensor x = small_integers({1, 3, 3, 2}, 1);
  const Tensor plain = apply(Shift{}, {x});
  CHECK(tape->noted.empty());
  const Tensor y = apply(Sum{}, {plain, apply(Shift{}, {x.taped(tape)})});
  CHECK(y.tape() == tape);
  CHECK(tape->noted == std::vector<std::string>{"shift of 1", "sum of 2"});
}

TEST_CASE("apply: a view of a tensor on a tape is noted too") {
  const auto tape = std::make_shared<NotingTape>();
  const Tensor x = small_integers({1, 3, 3, 2}, 1).taped(tape);
  const Tensor y = apply(Slice{0, 1}, {x});
  CHECK(tape->noted == std::vector<std::string>{"slice of 1"});
  CHECK(y.tape() == tape);
  CHECK(y.storage() == x.storage());
}

TEST_CASE("apply: a placeholder is traced and nothing runs") {
  const auto trace = std::make_shared<Trace>();
  const Tensor x = trace->input({1, 3, 3, 2});
  const Tensor weight = Tensor::zeros({1, 3, 3, 2}).named("body.4.weight");
  const Tensor y = apply(Sum{}, {apply(Shift{}, {x}), weight});
  CHECK(y.is_placeholder());
  const Graph graph = trace->finish({y});
  REQUIRE(graph.steps.size() == 2);
  CHECK(graph.steps[1].op.name() == "sum");
  CHECK(graph.steps[1].label == "body.4");
  CHECK(graph.values[graph.steps[1].inputs[1]].is_constant);
  CHECK_THROWS_AS(apply(Sum{}, {x, Tensor::zeros({1, 3, 3, 1})}), ShapeError);
}

TEST_CASE("AnyOp: is asked for its operation by type") {
  const AnyOp op = Shift{3};
  REQUIRE(op.as<Shift>() != nullptr);
  CHECK(op.as<Shift>()->by == 3);
  CHECK(op.as<Sum>() == nullptr);
  CHECK_FALSE(op.is_view());
  CHECK(AnyOp(Slice{}).is_view());
  CHECK(AnyOp(Join{}).joins_channels());
  CHECK_FALSE(op.joins_channels());
  CHECK(op.scratch_bytes({{1, 2, 2, 1}}) == 0);
  CHECK(AnyOp(Sum{}).describe().empty());
}

}  // namespace mend::test
