#include "engine/passes.h"

namespace mend {
namespace {

/// Whether the concatenation's inputs already lie side by side in one buffer, so that its output
/// is simply a wider slice of that buffer. Dense blocks do this: each concat begins with the last.
bool lie_side_by_side(const Graph& graph, const Step& concat, const std::vector<Home>& homes) {
  const Home first = homes[concat.inputs.front()];
  int next_channel = first.first_channel;
  for (const int input : concat.inputs) {
    if (homes[input].buffer != first.buffer || homes[input].first_channel != next_channel) {
      return false;
    }
    next_channel += graph.values[input].shape.c;
  }
  return first.buffer != concat.inputs.front();
}

}  // namespace

std::vector<Home> find_homes(const Graph& graph) {
  std::vector<Home> homes(graph.values.size());
  for (std::size_t v = 0; v < homes.size(); ++v) homes[v] = {static_cast<int>(v), 0};

  // Only what a working step writes can be written somewhere else.
  std::vector<bool> movable(graph.values.size(), false);
  for (const Step& step : graph.steps) movable[step.output] = !step.op.is_view();
  for (const int output : graph.outputs) movable[output] = false;

  // The widest concatenation of a dense block comes last; the narrower ones are slices of it.
  for (auto step = graph.steps.rbegin(); step != graph.steps.rend(); ++step) {
    if (!step->op.joins_channels()) continue;
    if (movable[step->output] && lie_side_by_side(graph, *step, homes)) {
      homes[step->output] = homes[step->inputs.front()];
      continue;
    }
    int channel = homes[step->output].first_channel;
    for (const int input : step->inputs) {
      if (movable[input] && homes[input].buffer == input) {
        homes[input] = {homes[step->output].buffer, channel};
      }
      channel += graph.values[input].shape.c;
    }
  }
  return homes;
}

}  // namespace mend
