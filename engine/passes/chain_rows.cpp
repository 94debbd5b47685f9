#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "engine/ladder.h"
#include "engine/passes.h"
#include "engine/row_chain.h"

namespace mend {
namespace {

constexpr std::size_t kLongest = 64;

/// Steps [first, last] of a graph as a graph of their own.
struct Candidate {
  Graph graph;
  std::vector<int> images;         // inputs that are cut into rows
  std::vector<int> outer_inputs;   // in the outer graph, in the order of graph.inputs
  std::int64_t bytes_between = 0;  // of the values that nobody outside reads
};

/// Whether a step can run on some rows of an image.
bool has_rows(const Graph& graph, const Step& step) {
  const Shape& y = graph.values[step.output].shape;
  return y.n == 1 && y.h > 1 && graph.values[step.output].dtype == DType::kF32 &&
         step.inputs.size() <= op::RowChain::kMostInputs &&
         step.op.row_part(graph.shapes(step.inputs), {0, 1}).has_value();
}

/// Collects the steps one by one; the values that come from outside become inputs.
class Collector {
 public:
  explicit Collector(const Graph& outer) : outer_(outer) {}

  /// Whether the step fits behind those that are there.
  bool add(const Step& step) {
    const RowPart part = step.op.row_part(outer_.shapes(step.inputs), {0, 1}).value();
    Step inner{step.op, {}, kNoValue, step.label};
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      const int value = step.inputs[i];
      if (value == kNoValue) {
        inner.inputs.push_back(kNoValue);
        continue;
      }
      const bool is_cut = !part.inputs[i].empty();
      if (made_.contains(value) ? !is_cut : !may_come_in(value, is_cut)) return false;
      inner.inputs.push_back(inner_value(value));
      if (!made_.contains(value)) note_input(value, is_cut);
    }
    inner.output = inner_value(step.output);
    made_.insert(step.output);
    if (!step.op.is_view()) bytes_ += outer_.values[step.output].bytes();
    candidate_.graph.steps.push_back(std::move(inner));
    return true;
  }

  Candidate finish(int output) const {
    Candidate candidate = candidate_;
    candidate.graph.outputs = {value_.at(output)};
    candidate.bytes_between = bytes_ - outer_.values[output].bytes();
    return candidate;
  }

 private:
  /// Images that are cut have one height and width, and no input is cut for one step and not for another.
  bool may_come_in(int value, bool is_cut) const {
    const Shape& shape = outer_.values[value].shape;
    const auto known = is_cut_.find(value);
    if (known != is_cut_.end() && known->second != is_cut) return false;
    if (!is_cut) return true;
    return shape.n == 1 && (size_.empty() || (size_.h == shape.h && size_.w == shape.w));
  }

  void note_input(int value, bool is_cut) {
    if (!is_cut_.emplace(value, is_cut).second) return;
    candidate_.outer_inputs.push_back(value);
    candidate_.graph.inputs.push_back(value_.at(value));
    if (!is_cut) return;
    candidate_.images.push_back(value_.at(value));
    size_ = outer_.values[value].shape;
  }

  int inner_value(int value) {
    const auto [place, is_new] = value_.emplace(value, 0);
    if (is_new) place->second = candidate_.graph.add_value(outer_.values[value].shape);
    return place->second;
  }

  const Graph& outer_;
  Candidate candidate_;
  std::map<int, int> value_;    // outer to inner
  std::map<int, bool> is_cut_;  // inputs
  std::set<int> made_;          // outputs of the steps
  Shape size_;                  // of the images
  std::int64_t bytes_ = 0;
};

/// For each length at which the steps from `first` on make a chain, that chain: nobody outside reads
/// anything but the last step's output. Longest first.
std::vector<std::pair<std::size_t, Candidate>> candidates(const Graph& graph,
                                                          const std::vector<int>& uses,
                                                          std::size_t first) {
  std::vector<std::pair<std::size_t, Candidate>> found;
  Collector collector(graph);
  std::map<int, int> unread;  // outputs so far, and how many of their readers are still to come
  for (std::size_t s = first; s < graph.steps.size() && s - first < kLongest; ++s) {
    const Step& step = graph.steps[s];
    if (!has_rows(graph, step) || !collector.add(step)) break;
    for (const int input : step.inputs) {
      const auto read = unread.find(input);
      if (read != unread.end() && --read->second == 0) unread.erase(read);
    }
    unread[step.output] = uses[step.output];
    if (s > first && unread.size() == 1 && !step.op.is_view()) {
      found.emplace_back(s, collector.finish(step.output));
    }
  }
  std::reverse(found.begin(), found.end());
  return found;
}

/// The schedule with the highest bands whose rows fit the cache.
RowSchedule fitting_schedule(const Candidate& candidate, std::int64_t cache_bytes, int strips) {
  RowSchedule least = make_row_schedule(candidate.graph, candidate.images, 1, strips);
  const RowSchedule twice =
      make_row_schedule(candidate.graph, candidate.images, 2 * least.band, strips);
  const std::int64_t each = std::max<std::int64_t>(1, twice.buffer_bytes - least.buffer_bytes);
  const std::int64_t room = cache_bytes - least.buffer_bytes;
  if (room < each) return least;
  constexpr std::int64_t kMost = 64;  // more rows a band save nothing
  const int times = 1 + static_cast<int>(std::min(kMost, room / each));
  return make_row_schedule(candidate.graph, candidate.images, times * least.band, strips);
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
std::int64_t bytes_of_weights(const Candidate& candidate) {
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
bool pays(const Candidate& candidate, const RowSchedule& schedule, std::int64_t cache_bytes) {
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

std::optional<Step> join(const Graph& graph, std::size_t last, const Candidate& candidate,
                         std::int64_t cache_bytes, int strips) {
  if (candidate.images.empty()) return std::nullopt;
  if (cache_bytes > 0 && candidate.bytes_between < cache_bytes) return std::nullopt;
  RowSchedule schedule = fitting_schedule(candidate, cache_bytes, strips);
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
