#include <algorithm>

#include "engine/passes.h"
#include "engine/passes/steps.h"

namespace mend {
namespace {

/// Joins step `first` and the step `second`, which alone reads its result. Returns whether they are one now.
bool pair(Graph& graph, std::size_t first, std::size_t second, DeviceKind device) {
  const Step& mine = graph.steps[first];
  const Step& next = graph.steps[second];
  const auto found = std::find(next.inputs.begin(), next.inputs.end(), mine.output);
  const int position = static_cast<int>(found - next.inputs.begin());
  if (std::count(next.inputs.begin(), next.inputs.end(), mine.output) != 1) return false;
  const std::optional<Fusion> fusion =
      mine.op.pair(next.op, position, graph.shapes(mine.inputs), graph.shapes(next.inputs));
  if (!fusion || !fusion->op.runs_on(device)) return false;
  replace(graph, *fusion, first, second);
  erase(graph, first);
  return true;
}

}  // namespace

void pair_steps(Graph& graph, DeviceKind device) {
  const std::vector<int> uses = graph.uses();
  std::size_t s = 0;
  while (s < graph.steps.size()) {
    const int output = graph.steps[s].output;
    const std::size_t reader = uses[output] == 1 ? reader_of(graph, output, s) : graph.steps.size();
    const bool paired = reader != graph.steps.size() && pair(graph, s, reader, device);
    if (!paired) ++s;  // else the step behind has moved to place s
  }
}

}  // namespace mend
