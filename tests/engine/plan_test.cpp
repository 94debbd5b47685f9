#include "engine/plan.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "engine/error.h"
#include "engine/ladder.h"
#include "engine/parallel.h"
#include "tests/engine/random_network.h"
#include "tests/engine/test_ops.h"
#include "tests/support/guarded.h"

namespace {
std::atomic<std::int64_t> calls_of_new{0};
}  // namespace

// Counts every allocation of this program; the memory is malloc's as ever. Not inlined: GCC takes a
// `free` that it sees inside a `delete` for a mistake.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++calls_of_new;
  if (void* memory = std::malloc(bytes > 0 ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++calls_of_new;
  return std::malloc(bytes > 0 ? bytes : 1);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace mend::test {
namespace {

using Tensors = std::vector<Tensor>;

/// x + weight, where the plan adds 5 to the weight beforehand: the pattern of a packed convolution.
struct PackedSum {
  static constexpr std::string_view kName = "packed_sum";
  bool packed = false;

  Shape shape(const Shapes& in) const { return Sum{}.shape(in); }
  Cost cost(const Shapes& in) const { return Sum{}.cost(in); }
  Footprint footprint(const Shapes&) const { return {}; }
  void forward(Inputs inputs, const Tensor& y, Scratch) const {
    Sum{}.forward(inputs, y, {});
    if (packed) Shift{-5}.forward(Inputs(&y, 1), y, {});
  }
  std::optional<Lowering> lower(const Shapes&) const {
    return Lowering{PackedSum{true}, {std::nullopt, Shift{5}}};
  }
};

/// Features that each step adds to, as in a residual dense block, with probes between.
Tensors dense_block(const Tensors& in) {
  const Tensor x = apply(Probe{}, {in[0]});
  const Tensor x1 = apply(Probe{}, {x});
  const Tensor x2 = apply(Probe{}, {apply(Join{}, {x, x1})});
  const Tensor x3 = apply(Probe{}, {apply(Join{}, {x, x1, x2})});
  return {apply(
      Sum{}, {apply(Probe{}, {apply(Join{}, {x, x1, x2, x3})}), apply(Join{}, {x, x1, x2, x3})})};
}

}  // namespace

TEST_CASE("plan: gives the numbers of the eager run, on random networks") {
  for (unsigned seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    const RandomNetwork network(seed);
    Plan plan(network, RandomNetwork::input_shapes());
    for (unsigned run = 0; run < 2; ++run) {
      plan.poison();
      const Tensors inputs = RandomNetwork::inputs(seed + run);
      const Tensors expected = network(inputs);
      const Tensors actual = plan(inputs);
      REQUIRE(actual.size() == expected.size());
      for (std::size_t i = 0; i < actual.size(); ++i) CHECK(identical(actual[i], expected[i]));
    }
  }
}

TEST_CASE("plan: a dense block copies nothing and lies in one buffer") {
  const Shape shape{1, 8, 8, 4};
  Plan plan(dense_block, {shape});
  const Tensors inputs = {small_integers(shape, 1)};
  const Tensors expected = dense_block(inputs);
  Probe::seen.clear();
  Join::copied = 0;
  const Tensors actual = plan(inputs);
  CHECK(identical(actual[0], expected[0]));
  CHECK(Join::copied == 0);
  REQUIRE(Probe::seen.size() == 5);
  const float* buffer = Probe::seen[0].y;
  for (int i = 1; i < 5; ++i) CHECK(Probe::seen[i].x == buffer);
  CHECK(Probe::seen[1].y == buffer + 4);
  CHECK(Probe::seen[2].y == buffer + 8);
  CHECK(Probe::seen[3].y == buffer + 16);
  // The features of 32 channels, the last probe's and the sum's: the input fits into the latter.
  CHECK(plan.arena_bytes() == 3 * 64 * 32 * 4);
}

TEST_CASE("plan: a run allocates nothing, depth first neither") {
  for (const char* const chains : {"never", "always"}) {
    const RandomNetwork network(4);
    force_variant("row_chain", chains);
    Plan plan(network, RandomNetwork::input_shapes());
    clear_forced_variants();
    plan.run();
    const std::int64_t bytes = allocated_bytes();
    const std::int64_t calls = calls_of_new;
    for (int i = 0; i < 10; ++i) plan.run();
    CHECK(calls_of_new == calls);
    CHECK(allocated_bytes() == bytes);
  }
}

TEST_CASE("plan: tracing allocates no pixels") {
  const std::int64_t before = allocated_bytes();
  const Plan plan([](const Tensors& in) { return Tensors{apply(Max3{}, {in[0]})}; },
                  {{1, 4000, 4000, 3}});
  CHECK(allocated_bytes() == before);
  CHECK(plan.arena_bytes() == 3 * std::int64_t{4000} * 4000 * 3 * 4);
  CHECK(plan.footprint() == Footprint{1, 1, 1, false});
  CHECK(plan.cost().flops == 9.0 * 4000 * 4000 * 3);
}

TEST_CASE("plan: poison fills all that a run does not write") {
  const Shape shape{1, 4, 4, 2};
  Plan plan([](const Tensors& in) { return Tensors{apply(Shift{1}, {in[0]})}; }, {shape});
  plan.poison();
  plan.run();
  CHECK(std::isnan(plan.output(0).view<const float>()(0, 0, 0, 0)));
}

TEST_CASE("plan: an input may be an output, and an output may come twice") {
  const Shape shape{1, 4, 4, 2};
  const Network network = [](const Tensors& in) {
    const Tensor y = apply(Shift{1}, {in[0]});
    return Tensors{in[0], y, y};
  };
  Plan plan(network, {shape});
  const Tensors inputs = {small_integers(shape, 1)};
  const Tensors actual = plan(inputs), expected = network(inputs);
  for (int i = 0; i < 3; ++i) CHECK(identical(actual[i], expected[i]));
}

TEST_CASE("plan: an input that nothing reads is taken all the same") {
  const Shape shape{1, 4, 4, 2};
  Plan plan([](const Tensors& in) { return Tensors{apply(Shift{1}, {in[1]})}; }, {shape, shape});
  const Tensors inputs = {small_integers(shape, 1), small_integers(shape, 2)};
  CHECK(identical(plan(inputs)[0], apply(Shift{1}, {inputs[1]})));
}

TEST_CASE("plan: a lent input is read where it lies, as it is by then, and takes no memory") {
  const Shape shape{1, 4, 4, 2};
  const Network network = [](const Tensors& in) {
    const Tensor y = apply(Shift{1}, {apply(Sum{}, {in[0], in[1]})});
    return Tensors{apply(Sum{}, {y, in[1]})};
  };
  Plan plan(network, {shape, shape}, nullptr, {.lent = {false, true}});
  CHECK(plan.arena_bytes() < Plan(network, {shape, shape}).arena_bytes());
  const Tensor x = small_integers(shape, 1), other = small_integers(shape, 3);
  Tensor lent = small_integers(shape, 2);
  CHECK_THROWS_WITH_AS(plan.set_input(0, x),
                       "the plan reads input 1 where it lies, and was lent none", UsageError);
  const auto check = [&] {
    plan.poison();
    plan.set_input(0, x);
    plan.run();
    CHECK(identical(plan.output(0), network({x, lent})[0]));
  };
  plan.lend_input(1, lent);
  check();
  lent.view<float>()(0, 1, 2, 1) += 5;
  check();
  lent = other;
  plan.lend_input(1, lent);
  check();
  CHECK(plan.input(1).address() == other.address());
}

TEST_CASE("plan: what cannot be read where it lies is not lent") {
  const Shape shape{1, 4, 4, 2};
  Plan plan(
      [](const Tensors& in) {
        return Tensors{apply(Sum{}, {in[0], in[1]})};
      },
      {shape, shape}, nullptr, {.lent = {false, true}});
  const Tensor x = small_integers(shape, 1);
  CHECK_THROWS_WITH_AS(plan.lend_input(0, x),
                       "the plan cannot read input 0 where it lies: it was made to copy it",
                       UsageError);
  CHECK_THROWS_WITH_AS(plan.lend_input(1, Tensor::zeros({1, 4, 4, 3}).channels(0, 2)),
                       "the plan cannot read input 1 where it lies: it is a slice", UsageError);
  CHECK_THROWS_AS(plan.lend_input(1, Tensor::zeros({1, 4, 5, 2})), ShapeError);
  CHECK_THROWS_WITH_AS(plan.set_input(1, x), "the plan reads input 1 where it lies; lend it",
                       UsageError);
}

TEST_CASE("plan: inputs of another shape or number are refused") {
  const Shape shape{1, 4, 4, 2};
  Plan plan([](const Tensors& in) { return Tensors{apply(Shift{1}, {in[0]})}; }, {shape});
  CHECK_THROWS_WITH_AS(plan({Tensor::zeros({1, 4, 5, 2})}),
                       "the plan was made for input 0 of shape [1,4,4,2] and cannot run on "
                       "[1,4,5,2]",
                       ShapeError);
  CHECK_THROWS_WITH_AS(plan({}), "the plan was made for 1 inputs and cannot run on 0", UsageError);
}

TEST_CASE("plan: shapes that the network cannot take are refused when the plan is made") {
  CHECK_THROWS_AS(Plan(
                      [](const Tensors& in) {
                        return Tensors{apply(Sum{}, {in[0], in[1]})};
                      },
                      {{1, 4, 4, 2}, {1, 4, 4, 3}}),
                  ShapeError);
}

TEST_CASE("plan: more threads than it was made for are refused") {
  const int before = threads();
  set_threads(1);
  Plan plan([](const Tensors& in) { return Tensors{apply(Shift{1}, {in[0]})}; }, {{1, 4, 4, 2}});
  set_threads(2);
  CHECK_THROWS_WITH_AS(plan.run(), "the plan was made for 1 threads and cannot run on 2",
                       UsageError);
  set_threads(before);
}

TEST_CASE("plan: run_timed names each step") {
  const Tensor weight = Tensor::zeros({1, 4, 4, 2}).named("body.1.weight");
  Plan plan(
      [&](const Tensors& in) {
        return Tensors{apply(Sum{}, {in[0], weight})};
      },
      {weight.shape()});
  const std::vector<StepTime> times = plan.run_timed();
  REQUIRE(times.size() == 1);
  CHECK(times[0].op == "sum");
  CHECK(times[0].label == "body.1");
  CHECK(times[0].seconds >= 0);
  CHECK(plan.constant_bytes() == 4 * 4 * 2 * 4);
}

TEST_CASE("plan: a constant is repacked once, for all plans of its network") {
  const Tensor weight = small_integers({1, 4, 4, 2}, 3);
  const Network network = [&](const Tensors& in) {
    return Tensors{apply(PackedSum{}, {apply(PackedSum{}, {in[0], weight}), weight})};
  };
  const auto cache = std::make_shared<ConstantCache>();
  Plan first(network, {weight.shape()}, cache), second(network, {weight.shape()}, cache);
  const Tensors inputs = {small_integers(weight.shape(), 4)};
  CHECK(identical(first(inputs)[0], network(inputs)[0]));
  CHECK(identical(second(inputs)[0], network(inputs)[0]));
  CHECK(cache->size() == 1);
  CHECK(first.graph().steps.size() == 2);
  CHECK(first.constant_bytes() == 4 * 4 * 2 * 4);  // and counted once
}

TEST_CASE("plan: constants that it repacks lie side by side, and only what is missing is added") {
  const Tensor one = small_integers({1, 4, 3, 2}, 3), two = small_integers({1, 4, 3, 2}, 5);
  const auto network = [](std::vector<Tensor> weights) -> Network {
    return [=](const Tensors& in) {
      Tensor x = in[0];
      for (const Tensor& weight : weights) x = apply(PackedSum{}, {x, weight});
      return Tensors{x};
    };
  };
  const auto repacked = [](const Plan& plan, std::size_t step) {
    return plan.graph().values[plan.graph().steps[step].inputs[1]].constant;
  };
  const Tensors inputs = {small_integers(one.shape(), 4)};
  const auto cache = std::make_shared<ConstantCache>();
  Plan both(network({one, two}), {one.shape()}, cache);
  CHECK(identical(both(inputs)[0], network({one, two})(inputs)[0]));
  const Tensor first = repacked(both, 0), second = repacked(both, 1);
  CHECK(first.storage() == second.storage());
  CHECK(first.storage()->bytes() == 2 * 128);  // 96 bytes each, on cache lines
  CHECK(first.address() != second.address());

  const Tensor three = small_integers(one.shape(), 6);
  Plan more(network({one, three}), {one.shape()}, cache);
  CHECK(identical(more(inputs)[0], network({one, three})(inputs)[0]));
  CHECK(repacked(more, 0).address() == first.address());
  CHECK(repacked(more, 1).storage() != first.storage());
  CHECK(repacked(more, 1).storage()->bytes() == 128);
}

}  // namespace mend::test
