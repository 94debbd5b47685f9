#include "engine/row_chain.h"

#include <doctest/doctest.h>

#include "engine/ladder.h"
#include "engine/parallel.h"
#include "engine/passes.h"
#include "engine/plan.h"
#include "tests/engine/random_network.h"
#include "tests/engine/test_ops.h"
#include "tests/support/guarded.h"
#include "tests/support/threads_scope.h"

namespace mend::test {
namespace {

using Tensors = std::vector<Tensor>;

Graph traced(const Network& network, const Shapes& shapes) {
  const auto trace = std::make_shared<Trace>();
  Tensors inputs;
  for (const Shape& shape : shapes) inputs.push_back(trace->input(shape));
  return trace->finish(network(inputs));
}

/// Neighbourhoods, a skip connection over all of them, a view, and twice the size at the end.
Tensors u_turn(const Tensors& in) {
  Tensor x = apply(Shift{3}, {in[0]});
  for (int i = 0; i < 4; ++i) x = apply(Max3{}, {x});
  x = apply(Sum{}, {x, in[1]});
  const Tensor half = apply(Slice{1, 2}, {x});
  return {apply(Max3{}, {apply(Double{}, {apply(Sum{}, {apply(Max3{}, {half}), half})})})};
}

constexpr int kRows = 37, kColumns = 5;
const Shapes kInputs = {{1, kRows, kColumns, 4}, {1, kRows, kColumns, 4}};

Tensor run(const RowSchedule& schedule, const Tensors& inputs) {
  const op::RowChain chain{std::make_shared<const RowSchedule>(schedule)};
  const Shapes shapes = shapes_of(inputs);
  const Tensor y = Tensor::empty(chain.shape(shapes));
  std::vector<std::byte> memory(static_cast<std::size_t>(chain.scratch_bytes(shapes)) + 64,
                                std::byte{0xFF});  // NaN
  void* start = memory.data();
  std::size_t room = memory.size();
  std::align(64, memory.size() - 64, start, room);
  chain.forward(inputs, y, {static_cast<std::byte*>(start), memory.size() - 64});
  return y;
}

}  // namespace

TEST_CASE("row chain: any bands and strips give the numbers of whole images") {
  const Graph graph = traced(u_turn, kInputs);
  const Tensors inputs = {small_integers(kInputs[0], 1), small_integers(kInputs[1], 2)};
  const Tensor expected = u_turn(inputs)[0];
  const ThreadsScope threads_scope(3);
  for (const int band : {1, 2, 3, 5, 8, 36, 1000}) {
    for (const int strips : {1, 2, 3, 7, 100}) {
      CAPTURE(band);
      CAPTURE(strips);
      const RowSchedule schedule = make_row_schedule(graph, graph.inputs, band, strips);
      CHECK(identical(run(schedule, inputs), expected));
    }
  }
}

TEST_CASE("row chain: a step that rests keeps the rows that it will go on with") {
  // The left branch rests every other band, since Double computes two rows at once, while the right one
  // runs ahead of it, and with it goes what both read.
  const Network network = [](const Tensors& in) {
    const Tensor a = apply(Shift{1}, {in[0]});
    Tensor ahead = apply(Double{}, {a});
    for (int i = 0; i < 3; ++i) ahead = apply(Max3{}, {ahead});
    return Tensors{apply(Sum{}, {apply(Double{}, {apply(Shift{2}, {a})}), ahead})};
  };
  const Graph graph = traced(network, {kInputs[0]});
  const Tensors inputs = {small_integers(kInputs[0], 5)};
  for (const int strips : {1, 3}) {
    const RowSchedule schedule = make_row_schedule(graph, graph.inputs, 1, strips);
    CHECK(identical(run(schedule, inputs), network(inputs)[0]));
  }
}

TEST_CASE("row chain: rows in between take a part of an image, and one strip computes none twice") {
  const Graph graph = traced(u_turn, kInputs);
  const RowSchedule schedule = make_row_schedule(graph, graph.inputs, 2, 1);
  std::int64_t between = 0;
  for (const Step& step : graph.steps) {
    if (!step.op.is_view()) between += graph.values[step.output].shape.elements() * 4;
  }
  CHECK(schedule.buffer_bytes < between / 4);
  CHECK(schedule.flops() == doctest::Approx(graph.cost().flops));
  CHECK(make_row_schedule(graph, graph.inputs, 2, 4).flops() > graph.cost().flops);
}

TEST_CASE("row chain: sees as far as its steps together") {
  const Graph graph = traced(u_turn, kInputs);
  const op::RowChain chain{
      std::make_shared<const RowSchedule>(make_row_schedule(graph, graph.inputs, 4, 2))};
  CHECK(chain.footprint(kInputs) == graph.footprint());
  CHECK(chain.shape(kInputs) == Shape{1, 2 * kRows, 2 * kColumns, 2});
}

TEST_CASE("chain_rows: joins what only the chain reads, and leaves what others read") {
  const Network network = [](const Tensors& in) {
    const Tensor a = apply(Max3{}, {apply(Shift{1}, {in[0]})});
    const Tensor b = apply(Max3{}, {apply(Shift{2}, {a})});
    return Tensors{apply(Sum{}, {a, apply(Probe{}, {b})})};  // the probe has no row parts
  };
  Graph graph = traced(network, {kInputs[0]});
  chain_rows(graph, 0, 2);
  REQUIRE(graph.steps.size() == 4);
  CHECK(graph.steps[0].op.name() == "row_chain");
  CHECK(graph.steps[1].op.name() == "row_chain");
  CHECK(graph.steps[2].op.name() == "probe");
  CHECK(graph.steps[3].op.name() == "sum");
}

TEST_CASE("chain_rows: leaves alone what stays in the cache by itself") {
  Graph graph = traced(u_turn, kInputs);
  const std::size_t steps = graph.steps.size();
  chain_rows(graph, 1 << 20, 2);
  CHECK(graph.steps.size() == steps);
  const Shapes large = {{1, 2000, 50, 4}, {1, 2000, 50, 4}};
  graph = traced(u_turn, large);
  chain_rows(graph, 1 << 20, 2);
  CHECK(graph.steps.size() == 1);
}

TEST_CASE("chain_rows: plans give the numbers of the eager run, on random networks") {
  int chains = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    const ThreadsScope threads_scope(1 + static_cast<int>(seed % 3));
    const RandomNetwork network(seed);
    force_variant("row_chain", "always");
    Plan plan(network, RandomNetwork::input_shapes());
    clear_forced_variants();
    for (const Step& step : plan.graph().steps) chains += step.op.name() == "row_chain";
    for (unsigned run = 0; run < 2; ++run) {
      plan.poison();
      const Tensors inputs = RandomNetwork::inputs(seed + run);
      const Tensors expected = network(inputs);
      const Tensors actual = plan(inputs);
      REQUIRE(actual.size() == expected.size());
      for (std::size_t i = 0; i < actual.size(); ++i) CHECK(identical(actual[i], expected[i]));
    }
  }
  CHECK(chains > 100);
}

}  // namespace mend::test
