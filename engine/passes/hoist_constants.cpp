#include <algorithm>

#include "engine/passes.h"

namespace mend {

std::vector<Step> hoist_constants(Graph& graph) {
  std::vector<Step> hoisted, kept;
  for (Step& step : graph.steps) {
    const bool constant = std::all_of(step.inputs.begin(), step.inputs.end(), [&](int input) {
      return input == kNoValue || graph.values[input].is_constant;
    });
    graph.values[step.output].is_constant = constant;
    (constant ? hoisted : kept).push_back(std::move(step));
  }
  graph.steps = std::move(kept);
  return hoisted;
}

}  // namespace mend
