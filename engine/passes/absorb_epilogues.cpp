#include <algorithm>

#include "engine/passes.h"

namespace mend {
namespace {

/// The step that reads `value`, after `from`; steps.size() if there is none.
std::size_t reader_of(const Graph& graph, int value, std::size_t from) {
  for (std::size_t s = from + 1; s < graph.steps.size(); ++s) {
    const std::vector<int>& inputs = graph.steps[s].inputs;
    if (std::find(inputs.begin(), inputs.end(), value) != inputs.end()) return s;
  }
  return graph.steps.size();
}

/// Input `slot` of `step`; trailing absent ones may have been left out.
int input_of(const Step& step, int slot) {
  return slot < static_cast<int>(step.inputs.size()) ? step.inputs[slot] : kNoValue;
}

/// Replaces steps `first` and `second` by one step at the place of `second`, where all inputs of
/// both are known. Returns whether the first could take over the second.
bool fuse(Graph& graph, std::size_t first, std::size_t second) {
  const Step& mine = graph.steps[first];
  const Step& next = graph.steps[second];
  const auto found = std::find(next.inputs.begin(), next.inputs.end(), mine.output);
  const int position = static_cast<int>(found - next.inputs.begin());
  // The same value twice (x * x) would need both operands at once.
  if (std::count(next.inputs.begin(), next.inputs.end(), mine.output) != 1) return false;
  const std::optional<Fusion> fusion = mine.op.absorb(next.op, position, graph.shapes(next.inputs));
  if (!fusion) return false;

  std::vector<int> inputs;
  for (const FusedInput& input : fusion->inputs) {
    switch (input.from) {
      case FusedInput::kAbsent:
        inputs.push_back(kNoValue);
        break;
      case FusedInput::kMine:
        inputs.push_back(input_of(mine, input.index));
        break;
      case FusedInput::kNext:
        inputs.push_back(input_of(next, input.index));
        break;
    }
  }
  Step fused{fusion->op, std::move(inputs), next.output,
             mine.label.empty() ? next.label : mine.label};
  graph.steps[second] = std::move(fused);
  graph.steps.erase(graph.steps.begin() + static_cast<std::ptrdiff_t>(first));
  return true;
}

}  // namespace

void absorb_epilogues(Graph& graph) {
  const std::vector<int> uses = graph.uses();
  std::size_t s = 0;
  while (s < graph.steps.size()) {
    const int output = graph.steps[s].output;
    const std::size_t reader = uses[output] == 1 ? reader_of(graph, output, s) : graph.steps.size();
    // After a fusion the next unfused step has moved to place s.
    if (reader == graph.steps.size() || !fuse(graph, s, reader)) ++s;
  }
}

}  // namespace mend
