// Gradient checkpointing (Chen et al. 2016, arXiv:1604.06174), as a rewrite of any graph.
//
// A gradient reads what the forward pass has computed, in reverse: at the turn between them all of it is alive.
//
//   forward   ─ segment 1 ─●─ segment 2 ─●─ segment 3 ─┐ turn
//   backward  ─ 1' and its ─●─ 2' and its ─●─ 3's ─────┘
//                gradients      gradients
//
// What crosses from a segment into a later one (●) is kept. The rest is forgotten, and its steps are done
// again before its first reader behind the turn. They are the same steps on the same inputs, so the bits
// are the same; the price is at most one more forward pass.
#include <algorithm>
#include <map>
#include <numeric>

#include "engine/parallel.h"
#include "engine/passes.h"

namespace mend {
namespace {

/// y = x, in memory of its own.
struct Copy {
  static constexpr std::string_view kName = "copy";
  Shape shape(const Shapes& in) const { return in[0]; }
  Cost cost(const Shapes& in) const { return {0, 8.0 * static_cast<double>(in[0].elements())}; }
  Footprint footprint(const Shapes&) const { return {}; }
  void forward(Inputs inputs, const Tensor& y, Scratch) const {
    const View<const float> from = inputs[0].view<const float>();
    const View<float> to = y.view<float>();
    parallel_for(std::int64_t{to.shape.n} * to.shape.h, [&](std::int64_t row, int) {
      const int n = static_cast<int>(row / to.shape.h), h = static_cast<int>(row % to.shape.h);
      for (int w = 0; w < to.shape.w; ++w) {
        std::copy_n(from.pixel(n, h, w), to.shape.c, to.pixel(n, h, w));
      }
    });
  }
};

std::int64_t arena_bytes_of(const Graph& graph) {
  std::vector<std::int64_t> scratch;
  for (const Step& step : graph.steps) {
    scratch.push_back(step.op.scratch_bytes(graph.shapes(step.inputs)));
  }
  return place(graph, find_homes(graph), scratch).arena_bytes;
}

/// When values are made and read, as far as segments care. A view stands for itself, without bytes.
struct Lives {
  explicit Lives(const Graph& graph)
      : producer(graph.producers()), bytes(graph.values.size(), 0), last(graph.values.size(), -1) {
    for (std::size_t s = 0; s < graph.steps.size(); ++s) {
      const Step& step = graph.steps[s];
      if (!step.op.is_view()) bytes[step.output] = graph.values[step.output].bytes();
      for (const int input : step.inputs) {
        if (input != kNoValue) last[input] = static_cast<int>(s);
      }
    }
  }

  /// The step at which the most bytes are alive.
  int peak(int steps) const {
    std::vector<std::int64_t> change(static_cast<std::size_t>(steps) + 1, 0);
    for (std::size_t v = 0; v < bytes.size(); ++v) {
      if (producer[v] < 0 || last[v] < 0) continue;
      change[producer[v]] += bytes[v];
      change[last[v] + 1] -= bytes[v];
    }
    std::partial_sum(change.begin(), change.end(), change.begin());
    return static_cast<int>(std::max_element(change.begin(), change.end()) - change.begin());
  }

  std::vector<int> producer;
  std::vector<std::int64_t> bytes;
  std::vector<int> last;  // reader
};

/// Where `count` segments of the steps [0, turn] begin: about the same bytes in each that are read behind
/// the turn, and as few as possible across a cut near there.
std::vector<int> segment_starts(const Graph& graph, const Lives& lives, int turn, int count) {
  const auto steps = static_cast<std::size_t>(turn) + 1;
  std::vector<std::int64_t> saved(steps, 0), crossing(steps + 1, 0);
  for (std::size_t v = 0; v < lives.bytes.size(); ++v) {
    const int made = lives.producer[v];
    if (made < 0 || made > turn) continue;
    if (lives.last[v] > turn) saved[made] += lives.bytes[v];
  }
  std::vector<int> last_early(graph.values.size(), -1);
  for (std::size_t s = 0; s < steps; ++s) {
    for (const int input : graph.steps[s].inputs) {
      if (input != kNoValue) last_early[input] = static_cast<int>(s);
    }
  }
  for (std::size_t v = 0; v < lives.bytes.size(); ++v) {
    if (lives.producer[v] < 0 || last_early[v] <= lives.producer[v]) continue;
    crossing[lives.producer[v] + 1] += lives.bytes[v];
    crossing[last_early[v] + 1] -= lives.bytes[v];
  }
  std::partial_sum(crossing.begin(), crossing.end(), crossing.begin());
  std::partial_sum(saved.begin(), saved.end(), saved.begin());
  if (saved.back() == 0) return {0};        // nobody reads anything behind the turn
  const auto share_before = [&](int cut) {  // in segments
    return static_cast<double>(count) * static_cast<double>(saved[cut - 1]) /
           static_cast<double>(saved.back());
  };
  std::vector<int> starts{0};
  for (int k = 1; k < count; ++k) {
    int best = -1;
    for (int cut = starts.back() + 1; cut <= turn; ++cut) {
      if (share_before(cut) < k - 0.5 || share_before(cut) > k + 0.5) continue;
      if (best < 0 || crossing[cut] < crossing[best]) best = cut;
    }
    if (best > 0) starts.push_back(best);
  }
  return starts;
}

class Segmented {
 public:
  Segmented(const Graph& graph, int turn, const std::vector<int>& starts)
      : graph_(graph), turn_(turn), starts_(starts), producer_(graph.producers()) {
    find_crossing();
    for (int k = static_cast<int>(starts.size()) - 2; k >= 0; --k) plan_segment(k);
  }

  Graph build() {
    Graph result = graph_;
    result.steps.clear();
    std::map<int, int> again;  // of early values, those behind the turn
    for (int s = 0; s < static_cast<int>(graph_.steps.size()); ++s) {
      const auto [begin, end] = repeats_.equal_range(s);
      for (auto repeat = begin; repeat != end; ++repeat) {
        std::map<int, int> copies;
        for (const int early : repeat->second) {
          Step step = graph_.steps[early];
          const int output =
              result.add_value(graph_.values[step.output].shape, graph_.values[step.output].dtype);
          replace(step, again);
          join_copies(result, step, copies);
          again[step.output] = output;
          step.output = output;
          result.steps.push_back(std::move(step));
        }
      }
      Step step = graph_.steps[s];
      if (s > turn_) replace(step, again);
      if (s <= turn_) join_copies(result, step, early_copies_[segment_of(s)]);
      result.steps.push_back(std::move(step));
    }
    return result;
  }

 private:
  int segment_of(int step) const {
    return static_cast<int>(std::upper_bound(starts_.begin(), starts_.end(), step) -
                            starts_.begin()) -
           1;
  }
  bool is_forgotten(int value, int segment) const {
    return value != kNoValue && producer_[value] >= 0 && producer_[value] <= turn_ &&
           segment_of(producer_[value]) == segment && !crosses_[value];
  }

  void find_crossing() {
    crosses_.assign(graph_.values.size(), false);
    for (int s = 0; s <= turn_; ++s) {
      for (const int input : graph_.steps[s].inputs) {
        if (input == kNoValue || producer_[input] < 0) continue;
        if (segment_of(producer_[input]) != segment_of(s)) crosses_[input] = true;
      }
    }
    for (const int output : graph_.outputs) crosses_[output] = true;
  }

  /// Which of its steps are done again, and before which step.
  void plan_segment(int segment) {
    std::vector<bool> needed(graph_.values.size(), false);
    int first_reader = -1;
    for (int s = static_cast<int>(graph_.steps.size()) - 1; s > turn_; --s) {
      for (const int input : graph_.steps[s].inputs) {
        if (!is_forgotten(input, segment)) continue;
        needed[input] = true;
        first_reader = s;
      }
    }
    if (first_reader < 0) return;
    std::vector<int> steps;
    for (int s = starts_[segment + 1] - 1; s >= starts_[segment]; --s) {
      const Step& step = graph_.steps[s];
      if (!needed[step.output]) continue;
      steps.push_back(s);
      for (const int input : step.inputs) {
        if (is_forgotten(input, segment)) needed[input] = true;
      }
    }
    std::reverse(steps.begin(), steps.end());
    repeats_.emplace(first_reader, std::move(steps));
  }

  static void replace(Step& step, const std::map<int, int>& again) {
    for (int& input : step.inputs) {
      if (const auto found = again.find(input); found != again.end()) input = found->second;
    }
  }

  /// What is kept must not lie inside of a concatenation that is forgotten, and keep it alive: a
  /// concatenation reads copies of such inputs.
  void join_copies(Graph& result, Step& step, std::map<int, int>& copies) const {
    if (!step.op.joins_channels()) return;
    for (int& input : step.inputs) {
      const bool is_early = input != kNoValue && input < static_cast<int>(crosses_.size());
      if (!is_early || !crosses_[input] || result.values[input].dtype != DType::kF32) continue;
      const auto [copy, is_new] = copies.emplace(input, kNoValue);
      if (is_new) {
        copy->second = result.add_value(result.values[input].shape);
        result.steps.push_back({Copy{}, {input}, copy->second, step.label});
      }
      input = copy->second;
    }
  }

  const Graph& graph_;
  int turn_;
  const std::vector<int>& starts_;
  std::vector<int> producer_;
  std::vector<bool> crosses_;
  std::multimap<int, std::vector<int>> repeats_;  // steps, by the step that they go before
  std::map<int, std::map<int, int>> early_copies_;
};

}  // namespace

void recompute(Graph& graph) {
  const Lives lives(graph);
  const int turn = lives.peak(static_cast<int>(graph.steps.size()));
  std::int64_t least = arena_bytes_of(graph);
  Graph best = graph;
  for (const int count : {2, 3, 4, 6, 8, 12, 16, 24, 32}) {
    if (2 * count > turn) break;
    const std::vector<int> starts = segment_starts(graph, lives, turn, count);
    Graph candidate = Segmented(graph, turn, starts).build();
    const std::int64_t bytes = arena_bytes_of(candidate);
    if (bytes >= least) continue;
    least = bytes;
    best = std::move(candidate);
  }
  graph = std::move(best);
}

}  // namespace mend
