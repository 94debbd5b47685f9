#include "engine/passes.h"

namespace mend {

void remove_unused(Graph& graph) {
  std::vector<bool> needed(graph.values.size(), false);
  for (const int output : graph.outputs) needed[output] = true;
  std::vector<Step> kept;
  for (auto step = graph.steps.rbegin(); step != graph.steps.rend(); ++step) {
    if (!needed[step->output]) continue;
    for (const int input : step->inputs) {
      if (input != kNoValue) needed[input] = true;
    }
    kept.push_back(std::move(*step));
  }
  graph.steps.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
}

}  // namespace mend
