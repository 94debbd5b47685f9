#include "engine/passes.h"

namespace mend {

void lower(Graph& graph) {
  std::vector<Step> lowered;
  for (Step& step : graph.steps) {
    if (std::optional<Lowering> lowering = step.op.lower(graph.shapes(step.inputs))) {
      step.op = lowering->op;
      for (std::size_t i = 0; i < lowering->repack.size(); ++i) {
        const int input = step.inputs[i];
        if (!lowering->repack[i] || input == kNoValue) continue;
        const AnyOp& repack = *lowering->repack[i];
        const int packed = graph.add_value(repack.shape({graph.values[input].shape}));
        lowered.push_back({repack, {input}, packed, step.label});
        step.inputs[i] = packed;
      }
    }
    lowered.push_back(std::move(step));
  }
  graph.steps = std::move(lowered);
}

}  // namespace mend
