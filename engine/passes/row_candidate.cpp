#include "engine/passes/row_candidate.h"

#include <algorithm>
#include <utility>

#include "engine/row_chain.h"

namespace mend {

bool has_rows(const Graph& graph, const Step& step) {
  const Value& y = graph.values[step.output];
  const bool is_codes = y.dtype == DType::kI8 || y.dtype == DType::kU8;
  return y.shape.n == 1 && y.shape.h > 1 && !is_codes &&
         step.inputs.size() <= op::RowChain::kMostInputs &&
         step.op.row_part(graph.shapes(step.inputs), {0, 1}).has_value();
}

bool RowCollector::add(const Step& step) {
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

RowCandidate RowCollector::finish(int output) const {
  RowCandidate candidate = candidate_;
  candidate.graph.outputs = {value_.at(output)};
  candidate.bytes_between = bytes_ - outer_.values[output].bytes();
  return candidate;
}

/// Images that are cut have one height and width, and no input is cut for one step and not for another.
bool RowCollector::may_come_in(int value, bool is_cut) const {
  const Shape& shape = outer_.values[value].shape;
  const auto known = is_cut_.find(value);
  if (known != is_cut_.end() && known->second != is_cut) return false;
  if (!is_cut) return true;
  return shape.n == 1 && (size_.empty() || (size_.h == shape.h && size_.w == shape.w));
}

void RowCollector::note_input(int value, bool is_cut) {
  if (!is_cut_.emplace(value, is_cut).second) return;
  candidate_.outer_inputs.push_back(value);
  candidate_.graph.inputs.push_back(value_.at(value));
  if (!is_cut) return;
  candidate_.images.push_back(value_.at(value));
  size_ = outer_.values[value].shape;
}

int RowCollector::inner_value(int value) {
  const auto [place, is_new] = value_.emplace(value, 0);
  if (is_new) {
    const Value& outer = outer_.values[value];
    place->second = candidate_.graph.add_value(outer.shape, outer.dtype);
  }
  return place->second;
}

RowSchedule fitting_schedule(const RowCandidate& candidate, std::int64_t cache_bytes, int strips) {
  const auto of_bands = [&](int band) {
    return make_row_schedule(candidate.graph, candidate.images, band, strips);
  };
  RowSchedule best = of_bands(1);
  const int least = best.band;
  // Steps that compute squares of 4 or 6 rows need as much room for one row as for a whole square.
  constexpr int kProbe = 12;
  const std::int64_t each = std::max<std::int64_t>(
      1, (of_bands(kProbe * least).buffer_bytes - best.buffer_bytes) / (kProbe - 1));
  constexpr std::int64_t kMost = 64;  // more rows a band save nothing
  const std::int64_t room = std::max<std::int64_t>(0, cache_bytes - best.buffer_bytes);
  for (auto times = 1 + std::min(kMost, room / each); times > 1; times = times * 3 / 4) {
    RowSchedule schedule = of_bands(static_cast<int>(times) * least);
    if (schedule.buffer_bytes > cache_bytes) continue;
    best = std::move(schedule);
    break;
  }
  return best;
}

}  // namespace mend
