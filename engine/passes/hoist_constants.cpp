#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>

#include "engine/passes.h"

namespace mend {
namespace {

/// The address of a parameter's pixels, for each use of one is a value of its own; else the number of
/// the value.
std::string name_of(const Graph& graph, int value) {
  if (value == kNoValue) return " none";
  const Tensor& constant = graph.values[value].constant;
  if (!constant) return fmt::format(" {}", value);
  return fmt::format(" {}{}", fmt::ptr(constant.view<float>().data), to_string(constant.shape()));
}

/// Steps that compute the same constant become one: a layer that runs several times on shared
/// weights, as in a recurrent network, repacks them once.
std::vector<Step> without_copies(Graph& graph, std::vector<Step> steps) {
  std::map<std::string, int> computed;  // what a step does -> the constant that it makes
  std::map<int, int> same;
  const auto rename = [&](Step& step) {
    for (int& input : step.inputs) {
      if (const auto found = same.find(input); found != same.end()) input = found->second;
    }
  };
  std::vector<Step> kept;
  for (Step& step : steps) {
    rename(step);
    std::string key = fmt::format("{} {}", step.op.name(), step.op.describe());
    for (const int input : step.inputs) key += name_of(graph, input);
    const auto [first, is_new] = computed.emplace(key, step.output);
    if (is_new) {
      kept.push_back(std::move(step));
      continue;
    }
    same[step.output] = first->second;
    graph.values[step.output].is_constant = false;  // nobody reads it
  }
  for (Step& step : graph.steps) rename(step);
  for (int& output : graph.outputs) {
    if (const auto found = same.find(output); found != same.end()) output = found->second;
  }
  return kept;
}

}  // namespace

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
  return without_copies(graph, std::move(hoisted));
}

}  // namespace mend
