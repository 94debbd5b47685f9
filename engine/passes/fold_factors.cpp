#include "engine/passes.h"
#include "engine/passes/steps.h"

namespace mend {
namespace {

/// Whether a value is a parameter, or was folded from some; what else parameters make is not known to be
/// constant yet.
bool is_constant(const Graph& graph, int value) {
  return value != kNoValue && graph.values[value].is_constant;
}

/// How step `first` folds step `second`, if all that changes is constant.
std::optional<Fold> fold_of(const Graph& graph, const Step& first, const Step& second) {
  if (second.inputs.size() != 2) return std::nullopt;
  const int position = second.inputs[0] == first.output ? 0 : 1;
  if (!is_constant(graph, second.inputs[1 - position])) return std::nullopt;
  std::optional<Fold> fold = first.op.fold(second.op, position, graph.shapes(second.inputs));
  if (!fold) return std::nullopt;
  for (const auto& [slot, op] : fold->remade) {
    const int input = input_of(first, slot);
    if (input != kNoValue && !is_constant(graph, input)) return std::nullopt;
  }
  return fold;
}

/// Puts the steps that remake constants in front of step `first`, and drops step `second`.
void replace(Graph& graph, const Fold& fold, std::size_t first, std::size_t second) {
  const Step next = graph.steps[second];
  const int other = next.inputs[next.inputs[0] == graph.steps[first].output ? 1 : 0];
  graph.steps.erase(graph.steps.begin() + static_cast<std::ptrdiff_t>(second));
  Step folded = graph.steps[first];
  folded.output = next.output;
  std::vector<Step> remaking;
  for (const auto& [slot, op] : fold.remade) {
    if (input_of(folded, slot) == kNoValue) continue;
    const std::vector<int> inputs = {folded.inputs[slot], other};
    const int output = graph.add_value(op.shape(graph.shapes(inputs)));
    graph.values[output].is_constant = true;
    remaking.push_back({op, inputs, output, folded.label});
    folded.inputs[slot] = output;
  }
  graph.steps[first] = std::move(folded);
  graph.steps.insert(graph.steps.begin() + static_cast<std::ptrdiff_t>(first), remaking.begin(),
                     remaking.end());
}

}  // namespace

void fold_factors(Graph& graph) {
  // Folding adds values, which only the folded step reads, and leaves the uses of all others but constants.
  const std::vector<int> uses = graph.uses();
  for (std::size_t s = 0; s < graph.steps.size(); ++s) {
    const int output = graph.steps[s].output;
    if (output >= static_cast<int>(uses.size()) || uses[output] != 1) continue;
    const std::size_t reader = reader_of(graph, output, s);
    if (reader == graph.steps.size()) continue;
    if (const auto fold = fold_of(graph, graph.steps[s], graph.steps[reader])) {
      replace(graph, *fold, s, reader);
    }
  }
}

}  // namespace mend
