// Neighbouring steps as a graph of their own that can run band by band of rows.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "engine/row_schedule.h"
#include "engine/trace.h"

namespace mend {

/// Some steps of a graph as a graph of their own.
struct RowCandidate {
  Graph graph;
  std::vector<int> images;         ///< inputs that are cut into rows
  std::vector<int> outer_inputs;   ///< in the outer graph, in the order of graph.inputs
  std::int64_t bytes_between = 0;  ///< of the values that nobody outside reads
};

/// Whether a step can run on some rows of an image.
bool has_rows(const Graph& graph, const Step& step);

/// Collects steps one by one; the values that come from outside become inputs.
class RowCollector {
 public:
  explicit RowCollector(const Graph& outer) : outer_(outer) {}

  /// Whether the step, which has rows, fits behind those that are there.
  bool add(const Step& step);
  /// The steps so far; `output`: in the outer graph.
  RowCandidate finish(int output) const;

 private:
  bool may_come_in(int value, bool is_cut) const;
  void note_input(int value, bool is_cut);
  int inner_value(int value);

  const Graph& outer_;
  RowCandidate candidate_;
  std::map<int, int> value_;    // outer to inner
  std::map<int, bool> is_cut_;  // inputs
  std::set<int> made_;          // outputs of the steps
  Shape size_;                  // of the images
  std::int64_t bytes_ = 0;
};

/// The schedule with the highest bands whose rows fit the cache.
RowSchedule fitting_schedule(const RowCandidate& candidate, std::int64_t cache_bytes, int strips);

}  // namespace mend
