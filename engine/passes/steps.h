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

}  // namespace mend
