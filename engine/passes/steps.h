// What passes ask of a graph's steps.
#pragma once

#include <algorithm>

#include "engine/trace.h"

namespace mend {

/// Input `slot` of `step`; trailing absent ones may have been left out.
inline int input_of(const Step& step, int slot) {
  return slot < static_cast<int>(step.inputs.size()) ? step.inputs[slot] : kNoValue;
}

/// The step behind `from` that reads `value`; steps.size() if there is none.
inline std::size_t reader_of(const Graph& graph, int value, std::size_t from) {
  for (std::size_t s = from + 1; s < graph.steps.size(); ++s) {
    const std::vector<int>& inputs = graph.steps[s].inputs;
    if (std::find(inputs.begin(), inputs.end(), value) != inputs.end()) return s;
  }
  return graph.steps.size();
}

/// The inputs of the operation that `mine` and `next` become.
inline std::vector<int> inputs_of(const Fusion& fusion, const Step& mine, const Step& next) {
  std::vector<int> inputs;
  for (const FusedInput& input : fusion.inputs) {
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
  return inputs;
}

/// Replaces step `second` by what it and `first` become: there all inputs of both are known.
inline void replace(Graph& graph, const Fusion& fusion, std::size_t first, std::size_t second) {
  const Step& mine = graph.steps[first];
  const Step& next = graph.steps[second];
  graph.steps[second] = {fusion.op, inputs_of(fusion, mine, next), next.output,
                         mine.label.empty() ? next.label : mine.label};
}

inline void erase(Graph& graph, std::size_t step) {
  graph.steps.erase(graph.steps.begin() + static_cast<std::ptrdiff_t>(step));
}

}  // namespace mend
