#include "engine/passes.h"

#include <doctest/doctest.h>

#include <set>

#include "engine/plan.h"
#include "tests/engine/random_network.h"
#include "tests/engine/test_ops.h"

namespace mend::test {
namespace {

template <class Network>
Graph traced(const Network& network, const Shapes& shapes) {
  const auto trace = std::make_shared<Trace>();
  std::vector<Tensor> inputs;
  for (const Shape& shape : shapes) inputs.push_back(trace->input(shape));
  return trace->finish(network(inputs));
}

std::vector<std::string> names(const std::vector<Step>& steps) {
  std::vector<std::string> result;
  for (const Step& step : steps) result.emplace_back(step.op.name());
  return result;
}

/// y = x; goes with another one, and what the two become with none.
struct Single {
  static constexpr std::string_view kName = "single";
  static constexpr bool kOnGpu = true;
  bool is_pair = false;

  Shape shape(const Shapes& in) const { return in[0]; }
  Cost cost(const Shapes&) const { return {}; }
  Footprint footprint(const Shapes&) const { return {}; }
  void forward(Inputs inputs, const Tensor& y, Scratch) const {
    const View<const float> x = inputs[0].view<const float>();
    for_each(y.shape(),
             [&](int n, int h, int w, int c) { y.view<float>()(n, h, w, c) = x(n, h, w, c); });
  }
  std::optional<Fusion> pair(const AnyOp& next, int position, const Shapes& in,
                             const Shapes& next_in) const {
    const auto* other = next.as<Single>();
    const bool fits = other != nullptr && position == 0 && in == next_in;
    if (!fits || is_pair || other->is_pair) return std::nullopt;
    return Fusion{Single{true}, {{FusedInput::kMine, 0}}};
  }
};

using Names = std::vector<std::string>;
using Tensors = std::vector<Tensor>;

const Shapes kOne = {{1, 4, 5, 2}};

/// Memory of one block, for the brute-force check of a placement.
struct Interval {
  std::int64_t begin, end;
  int first, last;

  bool overlaps(const Interval& other) const {
    return begin < other.end && other.begin < end && first <= other.last && other.first <= last;
  }
};

/// When each buffer is used, found anew: from the homes, step by step.
std::vector<Interval> live_intervals(const Graph& graph, const std::vector<Home>& homes,
                                     const std::vector<std::int64_t>& scratch,
                                     const Placement& placement) {
  const int end = static_cast<int>(graph.steps.size());
  std::vector<int> buffer(graph.values.size(), kNoValue);
  std::vector<std::set<int>> uses(graph.values.size());
  const auto use = [&](int value, int when) {
    if (value != kNoValue && buffer[value] != kNoValue) uses[buffer[value]].insert(when);
  };
  for (const int input : graph.inputs) {
    buffer[input] = input;
    use(input, -1);
  }
  for (int s = 0; s < end; ++s) {
    const Step& step = graph.steps[s];
    buffer[step.output] = step.op.is_view() ? buffer[step.inputs[0]] : homes[step.output].buffer;
    for (const int input : step.inputs) use(input, s);
    use(step.output, s);
  }
  for (const int output : graph.outputs) use(output, end);

  std::vector<Interval> intervals;
  for (std::size_t v = 0; v < uses.size(); ++v) {
    if (uses[v].empty()) continue;
    const std::int64_t begin = placement.buffer_offset[v];
    REQUIRE(begin >= 0);
    intervals.push_back(
        {begin, begin + graph.values[v].shape.elements() * 4, *uses[v].begin(), *uses[v].rbegin()});
  }
  for (int s = 0; s < end; ++s) {
    if (scratch[s] == 0) continue;
    const std::int64_t begin = placement.scratch_offset[s];
    REQUIRE(begin >= 0);
    intervals.push_back({begin, begin + scratch[s], s, s});
  }
  return intervals;
}

}  // namespace

TEST_CASE("remove_unused: steps that no output needs go, in order") {
  Graph graph = traced(
      [](const Tensors& in) {
        const Tensor used = apply(Max3{}, {in[0]});
        apply(Max3{}, {apply(Shift{}, {in[0]})});
        return Tensors{apply(Sum{}, {used, in[0]})};
      },
      kOne);
  REQUIRE(graph.steps.size() == 4);
  remove_unused(graph);
  CHECK(names(graph.steps) == Names{"max3", "sum"});
}

TEST_CASE("absorb_epilogues: a chain becomes one step") {
  Graph graph = traced(
      [](const Tensors& in) {
        return Tensors{apply(Shift{3}, {apply(Shift{2}, {apply(Shift{1}, {in[0]})})})};
      },
      kOne);
  absorb_epilogues(graph);
  REQUIRE(graph.steps.size() == 1);
  CHECK(graph.steps[0].op.as<Shift>()->by == 6);
  CHECK(graph.steps[0].inputs == graph.inputs);
  CHECK(graph.steps[0].output == graph.outputs[0]);
}

TEST_CASE("absorb_epilogues: a value that is read twice, or is an output, stays") {
  Graph read_twice = traced(
      [](const Tensors& in) {
        const Tensor x = apply(Shift{1}, {in[0]});
        return Tensors{apply(Sum{}, {apply(Shift{2}, {x}), x})};
      },
      kOne);
  absorb_epilogues(read_twice);
  CHECK(read_twice.steps.size() == 3);

  Graph output = traced(
      [](const Tensors& in) {
        const Tensor x = apply(Shift{1}, {in[0]});
        return Tensors{x, apply(Shift{2}, {x})};
      },
      kOne);
  absorb_epilogues(output);
  CHECK(output.steps.size() == 2);
}

TEST_CASE("pair_steps: two in a row become one, from the front on") {
  const auto paired = [](int steps) {
    Graph graph = traced(
        [&](const Tensors& in) {
          Tensor x = in[0];
          for (int i = 0; i < steps; ++i) x = apply(Single{}, {x});
          return Tensors{x};
        },
        kOne);
    pair_steps(graph, DeviceKind::kCuda);
    return graph;
  };
  CHECK(paired(1).steps.size() == 1);
  for (const int steps : {4, 5}) {
    const Graph graph = paired(steps);
    REQUIRE(graph.steps.size() == (steps + 1) / 2);
    CHECK(graph.steps[0].op.as<Single>()->is_pair);
    CHECK(graph.steps[1].op.as<Single>()->is_pair);
    CHECK(graph.steps[0].inputs == graph.inputs);
    CHECK(graph.steps[1].inputs[0] == graph.steps[0].output);
    CHECK(graph.steps.back().output == graph.outputs[0]);
  }
  Graph read_twice = traced(
      [](const Tensors& in) {
        const Tensor x = apply(Single{}, {in[0]});
        return Tensors{apply(Sum{}, {apply(Single{}, {x}), x})};
      },
      kOne);
  pair_steps(read_twice, DeviceKind::kCuda);
  CHECK(read_twice.steps.size() == 3);
}

TEST_CASE("hoist_constants: what depends on constants alone runs before the first run") {
  const Tensor weight = Tensor::full(kOne[0], 2);
  Graph graph = traced(
      [&](const Tensors& in) {
        // A placeholder goes first, then the constants are traced with it.
        const Tensor x = apply(Shift{1}, {in[0]});
        return Tensors{apply(Sum{}, {x, weight})};
      },
      kOne);
  // As lower does it: a step that repacks the weight.
  const int packed = graph.add_value(kOne[0]);
  graph.steps.insert(graph.steps.begin(), {Shift{5}, {graph.steps[1].inputs[1]}, packed, ""});
  graph.steps[2].inputs[1] = packed;
  const std::vector<Step> hoisted = hoist_constants(graph);
  CHECK(names(hoisted) == Names{"shift"});
  CHECK(names(graph.steps) == Names{"shift", "sum"});
  CHECK(graph.values[packed].is_constant);
  CHECK_FALSE(graph.values[graph.outputs[0]].is_constant);
}

TEST_CASE("find_homes: a dense block lies in one buffer") {
  const Graph graph = traced(
      [](const Tensors& in) {
        const Tensor x = apply(Max3{}, {in[0]});
        const Tensor x1 = apply(Max3{}, {x});
        const Tensor x2 = apply(Max3{}, {apply(Join{}, {x, x1})});
        const Tensor x3 = apply(Max3{}, {apply(Join{}, {x, x1, x2})});
        return Tensors{apply(Max3{}, {apply(Join{}, {x, x1, x2, x3})})};
      },
      kOne);
  const std::vector<Home> homes = find_homes(graph);
  const int widest = graph.steps[6].output;
  REQUIRE(graph.steps[6].op.joins_channels());
  const int first_channel[] = {0, 2, 0, 4, 0, 8, 0};  // x x1 [x x1] x2 [x x1 x2] x3 [all]
  for (int s = 0; s <= 6; ++s) {
    CAPTURE(s);
    CHECK(homes[graph.steps[s].output].buffer == widest);
    CHECK(homes[graph.steps[s].output].first_channel == first_channel[s]);
  }
  CHECK(homes[graph.outputs[0]].buffer == graph.outputs[0]);
}

TEST_CASE("find_homes: inputs and outputs of the network, and views, stay where they are") {
  const Graph graph = traced(
      [](const Tensors& in) {
        const Tensor y = apply(Max3{}, {in[0]});
        const Tensor half = apply(Slice{0, 1}, {apply(Max3{}, {y})});
        return Tensors{y, apply(Join{}, {in[0], y, half})};
      },
      kOne);
  const std::vector<Home> homes = find_homes(graph);
  for (std::size_t v = 0; v < homes.size(); ++v) CHECK(homes[v].buffer == static_cast<int>(v));
}

TEST_CASE("place: what is alive at once never shares memory, on random networks") {
  for (unsigned seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    Graph graph = traced(RandomNetwork(seed), RandomNetwork::input_shapes());
    remove_unused(graph);
    absorb_epilogues(graph);
    hoist_constants(graph);
    const std::vector<Home> homes = find_homes(graph);
    std::vector<std::int64_t> scratch;
    for (const Step& step : graph.steps) {
      scratch.push_back(step.op.scratch_bytes(graph.shapes(step.inputs)));
    }
    const Placement placement = place(graph, homes, scratch);
    const auto intervals = live_intervals(graph, homes, scratch, placement);
    for (std::size_t i = 0; i < intervals.size(); ++i) {
      CHECK(intervals[i].begin % 64 == 0);
      CHECK(intervals[i].end <= placement.arena_bytes);
      for (std::size_t j = 0; j < i; ++j) CHECK_FALSE(intervals[i].overlaps(intervals[j]));
    }
  }
}

TEST_CASE("place: a chain needs two buffers, however long it is") {
  for (const int length : {2, 3, 10}) {
    const Graph graph = traced(
        [&](const Tensors& in) {
          Tensor y = in[0];
          for (int i = 0; i < length; ++i) y = apply(Probe{}, {y});
          return Tensors{y};
        },
        {{1, 8, 8, 4}});
    const Placement placement =
        place(graph, find_homes(graph), std::vector<std::int64_t>(graph.steps.size(), 0));
    CHECK(placement.arena_bytes == 2 * 8 * 8 * 4 * 4);
  }
}

}  // namespace mend::test
