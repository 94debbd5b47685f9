#include "engine/passes.h"

namespace mend {

void lower(Graph& graph, DeviceKind device) {
  std::vector<Step> lowered;
  for (Step& step : graph.steps) {
    if (std::optional<Lowering> lowering = step.op.lower(graph.shapes(step.inputs), device)) {
      step.op = lowering->op;
      for (std::size_t i = 0; i < lowering->repack.size(); ++i) {
        const int input = step.inputs[i];
        if (!lowering->repack[i] || input == kNoValue) continue;
        const AnyOp& repack = *lowering->repack[i];
        std::vector<int> reads = {input};
        for (const int slot : lowering->repack_reads) reads.push_back(step.inputs[slot]);
        const int packed = graph.add_value(repack.shape(graph.shapes(reads)), repack.dtype());
        lowered.push_back({repack, std::move(reads), packed, step.label});
        step.inputs[i] = packed;
      }
    }
    lowered.push_back(std::move(step));
  }
  graph.steps = std::move(lowered);
}

}  // namespace mend
