#include <algorithm>

#include "engine/passes.h"
#include "engine/passes/steps.h"

namespace mend {
namespace {

/// Joins steps `first` and `second`. Returns whether the first could take over the second.
bool fuse(Graph& graph, std::size_t first, std::size_t second, DeviceKind device) {
  const Step& mine = graph.steps[first];
  const Step& next = graph.steps[second];
  const auto found = std::find(next.inputs.begin(), next.inputs.end(), mine.output);
  const int position = static_cast<int>(found - next.inputs.begin());
  // The same value twice (x * x) would need both operands at once.
  if (std::count(next.inputs.begin(), next.inputs.end(), mine.output) != 1) return false;
  const std::optional<Fusion> fusion =
      mine.op.absorb(next.op, position, graph.shapes(next.inputs), device);
  if (!fusion || !fusion->op.runs_on(device)) return false;
  replace(graph, *fusion, first, second);
  erase(graph, first);
  return true;
}

/// The steps that read `value`, after `from`, if all of them are views that nobody else reads twice.
std::vector<std::size_t> views_of(const Graph& graph, const std::vector<int>& uses, int value,
                                  std::size_t from) {
  std::vector<std::size_t> views;
  for (std::size_t s = from + 1; static_cast<int>(views.size()) < uses[value]; ++s) {
    if (s == graph.steps.size()) return {};  // the network's output
    const Step& step = graph.steps[s];
    if (std::find(step.inputs.begin(), step.inputs.end(), value) == step.inputs.end()) continue;
    if (!step.op.is_view() || uses[step.output] != 1) return {};
    views.push_back(s);
  }
  return views;
}

/// Joins step `first` and the one step that reads its result, through views (a slice for q, one for k
/// and one for v). Returns whether the first could take over the second.
bool fuse_through_views(Graph& graph, const std::vector<int>& uses, std::size_t first,
                        DeviceKind device) {
  const std::vector<std::size_t> views = views_of(graph, uses, graph.steps[first].output, first);
  if (views.empty()) return false;
  const std::size_t second = reader_of(graph, graph.steps[views[0]].output, views[0]);
  if (second == graph.steps.size() || views.back() > second) return false;
  const Step& mine = graph.steps[first];
  const Step& next = graph.steps[second];
  ThroughViews through(next.inputs.size());
  for (const std::size_t view : views) {
    const auto slot = std::find(next.inputs.begin(), next.inputs.end(), graph.steps[view].output);
    if (slot == next.inputs.end()) return false;  // another step reads this one
    through[static_cast<std::size_t>(slot - next.inputs.begin())] = graph.steps[view].op;
  }
  const std::optional<Fusion> fusion =
      mine.op.absorb_through(next.op, through, graph.shapes(next.inputs));
  if (!fusion || !fusion->op.runs_on(device)) return false;
  replace(graph, *fusion, first, second);
  for (auto view = views.rbegin(); view != views.rend(); ++view) erase(graph, *view);
  erase(graph, first);
  return true;
}

/// One walk over all steps. Returns whether any two became one.
bool absorb_once(Graph& graph, DeviceKind device) {
  const std::vector<int> uses = graph.uses();
  bool changed = false;
  std::size_t s = 0;
  while (s < graph.steps.size()) {
    const int output = graph.steps[s].output;
    const std::size_t reader = uses[output] == 1 ? reader_of(graph, output, s) : graph.steps.size();
    const bool fused = reader == graph.steps.size() ? fuse_through_views(graph, uses, s, device)
                                                    : fuse(graph, s, reader, device);
    changed = changed || fused;
    if (!fused) ++s;  // else the next unfused step has moved to place s
  }
  return changed;
}

}  // namespace

void absorb_epilogues(Graph& graph, DeviceKind device) {
  // What a later pair of steps became may fit an earlier step: a gate is made of an activation and a
  // product before the convolution in front of it can take it over.
  while (absorb_once(graph, device)) {
  }
}

void fuse(Graph& graph, DeviceKind device) {
  remove_unused(graph);
  fold_factors(graph);
  absorb_epilogues(graph, device);
}

}  // namespace mend
