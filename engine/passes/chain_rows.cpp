#include <algorithm>
#include <map>
#include <optional>

#include "engine/ladder.h"
#include "engine/passes.h"
#include "engine/passes/row_candidate.h"
#include "engine/row_chain.h"

namespace mend {
namespace {

constexpr std::size_t kLongest = 64;

/// Whether a step makes f32 of narrow numbers: it belongs into the chain behind it, for which half the bytes are read.
bool only_widens(const Graph& graph, const Step& step) {
  if (step.inputs[0] == kNoValue) return false;
  const Value &x = graph.values[step.inputs[0]], &y = graph.values[step.output];
  return x.shape == y.shape && x.bytes() < y.bytes();
}

/// For each length at which the steps from `first` on make a chain, that chain: nobody outside reads
/// anything but the last step's output. Longest first.
std::vector<std::pair<std::size_t, RowCandidate>> candidates(const Graph& graph,
                                                             const std::vector<int>& uses,
                                                             std::size_t first) {
  std::vector<std::pair<std::size_t, RowCandidate>> found;
  RowCollector collector(graph);
  std::map<int, int> unread;  // outputs so far, and how many of their readers are still to come
  for (std::size_t s = first; s < graph.steps.size() && s - first < kLongest; ++s) {
    const Step& step = graph.steps[s];
    if (!has_rows(graph, step) || !collector.add(step)) break;
    for (const int input : step.inputs) {
      const auto read = unread.find(input);
      if (read != unread.end() && --read->second == 0) unread.erase(read);
    }
    unread[step.output] = uses[step.output];
    if (s > first && unread.size() == 1 && !step.op.is_view() && !only_widens(graph, step)) {
      found.emplace_back(s, collector.finish(step.output));
    }
  }
  std::reverse(found.begin(), found.end());
  return found;
}

/// Steps that compute squares of rows. One of them behind another holds back more rows than it computes
/// (7 for 6, for Winograd's) and moves them with every band: pairs of SRVGG's layers took 1.03 times as
/// long as layer by layer, all 33 of them 1.2 times.
int steps_on_grids(const Graph& graph) {
  return static_cast<int>(
      std::count_if(graph.steps.begin(), graph.steps.end(), [&](const Step& step) {
        return step.op.row_part(graph.shapes(step.inputs), {0, 1}).value().grid > 1;
      }));
}

/// Bytes of what is read whole by every band, its weights above all.
std::int64_t bytes_of_weights(const RowCandidate& candidate) {
  const Graph& graph = candidate.graph;
  std::int64_t bytes = 0;
  for (const int input : graph.inputs) {
    if (std::count(candidate.images.begin(), candidate.images.end(), input) == 0) {
      bytes += graph.values[input].bytes();
    }
  }
  return bytes;
}

/// Whether depth first is worth it: what lies between the steps does not stay in the cache by itself,
/// and the time for its bytes outweighs that for kept rows that move to the start of their buffers,
/// for rows that two strips both compute, and for weights that leave the cache between two bands.
bool pays(const RowCandidate& candidate, const RowSchedule& schedule, std::int64_t cache_bytes) {
  if (cache_bytes == 0) return true;
  const auto between = static_cast<double>(candidate.bytes_between);
  const auto strips = static_cast<double>(schedule.strips.size());
  if (2 * static_cast<double>(schedule.buffer_bytes) * strips > between) return false;
  // A thread's share of a third level; with wide images not even a few rows fit the second.
  constexpr std::int64_t kThirdLevel = 16 << 20;
  if (schedule.buffer_bytes > std::max(kThirdLevel, cache_bytes)) return false;
  if (steps_on_grids(candidate.graph) > 1) return false;
  // Bytes a second of one core from its second and from the third level.
  constexpr double kSecond = 60e9, kThird = 28e9;
  const double near = schedule.buffer_bytes <= cache_bytes ? kSecond : kThird;
  const double far = candidate.bytes_between <= kThirdLevel ? std::min(kThird, near)
                                                            : NominalMachine::kBytesPerSecond;
  const double saved = 2 * between * (1 / far - 1 / near);
  const double moves = 2 * static_cast<double>(schedule.moved_bytes()) / near;
  const double again =
      (schedule.flops() - candidate.graph.cost().flops) / NominalMachine::kFlopsPerSecond;
  const std::int64_t weights = bytes_of_weights(candidate);
  std::size_t calls = 0;
  for (const Strip& strip : schedule.strips) calls += strip.size();
  const double bands =
      static_cast<double>(calls) / static_cast<double>(schedule.graph.steps.size());
  const bool weights_stay = schedule.buffer_bytes + weights <= cache_bytes;
  const double reads = weights_stay ? 0 : bands * static_cast<double>(weights) / kThird;
  return moves + again + reads < saved;
}

std::optional<Step> join(const Graph& graph, std::size_t last, const RowCandidate& candidate,
                         std::int64_t cache_bytes, int strips) {
  if (candidate.images.empty()) return std::nullopt;
  if (cache_bytes > 0 && candidate.bytes_between < cache_bytes) return std::nullopt;
  // Bands of all strips together are to be small beside what they replace.
  const std::int64_t room = std::min(cache_bytes, candidate.bytes_between / (2 * strips));
  RowSchedule schedule = fitting_schedule(candidate, room, strips);
  if (!pays(candidate, schedule, cache_bytes)) return std::nullopt;
  std::string label = candidate.graph.steps.front().label;
  const std::string& end = candidate.graph.steps.back().label;
  if (!end.empty() && end != label) label += (label.empty() ? "" : " ... ") + end;
  return Step{op::RowChain{std::make_shared<const RowSchedule>(std::move(schedule))},
              candidate.outer_inputs, graph.steps[last].output, std::move(label)};
}

}  // namespace

void chain_rows(Graph& graph, std::int64_t cache_bytes, int strips) {
  const std::vector<int> uses = graph.uses();
  std::vector<Step> steps;
  for (std::size_t s = 0; s < graph.steps.size();) {
    bool joined = false;
    for (const auto& [last, candidate] : candidates(graph, uses, s)) {
      std::optional<Step> chain = join(graph, last, candidate, cache_bytes, strips);
      if (!chain) continue;
      steps.push_back(std::move(*chain));
      s = last + 1;
      joined = true;
      break;
    }
    if (!joined) steps.push_back(graph.steps[s++]);
  }
  graph.steps = std::move(steps);
}

}  // namespace mend
