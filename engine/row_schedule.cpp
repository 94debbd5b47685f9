#include "engine/row_schedule.h"

#include <algorithm>

namespace mend {
namespace {

int round_down(int value, int step) { return value / step * step; }
int round_up(int value, int step) { return (value + step - 1) / step * step; }

void include(RowRange& all, RowRange more) {
  if (more.empty()) return;
  all = all.empty() ? more : RowRange{std::min(all.begin, more.begin), std::max(all.end, more.end)};
}

/// Goes through one strip band by band.
class StripPlanner {
 public:
  explicit StripPlanner(const Graph& graph) : graph_(graph), done_(graph.values.size(), -1) {}

  Strip plan(RowRange strip, int band) {
    Strip calls;
    for (int begin = strip.begin; begin < strip.end; begin += band) {
      Strip now = plan_band({begin, std::min(begin + band, strip.end)});
      calls.insert(calls.end(), std::make_move_iterator(now.begin()),
                   std::make_move_iterator(now.end()));
    }
    return calls;
  }

 private:
  int rows_of(int value) const { return graph_.values[value].shape.h; }
  RowPart part_of(const Step& step, RowRange rows) const {
    return step.op.row_part(graph_.shapes(step.inputs), rows).value();
  }

  /// The rows of the step's output that are yet to be computed; empty: none for now.
  RowRange new_rows(const Step& step, RowRange wanted, int grid) const {
    const int o = step.output;
    if (o == graph_.outputs[0]) return wanted;
    const int begin = done_[o] >= 0 ? done_[o] : round_down(wanted.begin, grid);
    return {begin, std::min(rows_of(o), round_up(wanted.end, grid))};
  }

  /// From the last step back: what each must compute so that the band's rows are there.
  Strip plan_band(RowRange band) {
    std::vector<RowRange> wanted(graph_.values.size());
    wanted[graph_.outputs[0]] = band;
    Strip calls;
    for (int s = static_cast<int>(graph_.steps.size()) - 1; s >= 0; --s) {
      const Step& step = graph_.steps[s];
      const int o = step.output;
      if (step.op.is_view()) {
        include(wanted[step.inputs[0]], wanted[o]);
        continue;
      }
      if (wanted[o].empty()) {
        if (done_[o] >= 0) keep_for_next_band(step, done_[o], wanted);
        continue;
      }
      const RowRange rows = new_rows(step, wanted[o], part_of(step, {0, 1}).grid);
      if (rows.empty()) {
        keep_for_next_band(step, rows.begin, wanted);
        continue;
      }
      RowPart part = part_of(step, rows);
      for (std::size_t i = 0; i < part.inputs.size(); ++i) {
        if (!part.inputs[i].empty()) include(wanted[step.inputs[i]], part.inputs[i]);
      }
      calls.push_back({s, std::move(part), rows, std::min(wanted[o].begin, rows.begin), {}, {}});
      done_[o] = rows.end;
    }
    std::reverse(calls.begin(), calls.end());
    return calls;
  }

  /// The step has nothing to do now. What it reads when it goes on, at row `begin`, must stay.
  void keep_for_next_band(const Step& step, int begin, std::vector<RowRange>& wanted) const {
    if (begin >= rows_of(step.output)) return;
    const RowPart part = part_of(step, {begin, begin + 1});
    for (std::size_t i = 0; i < part.inputs.size(); ++i) {
      const int first = part.inputs[i].begin;
      if (part.inputs[i].empty() || first >= done_[base_of(step.inputs[i])]) continue;
      include(wanted[step.inputs[i]], {first, first + 1});
    }
  }

  /// The value whose pixels `value` is, through views.
  int base_of(int value) const {
    for (auto step = graph_.steps.rbegin(); step != graph_.steps.rend(); ++step) {
      if (step->output == value && step->op.is_view()) value = step->inputs[0];
    }
    return value;
  }

  const Graph& graph_;
  std::vector<int> done_;  // by value: the row behind the last one computed; -1: none yet
};

constexpr std::int64_t kLine = 64;
std::int64_t align(std::int64_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }

std::int64_t row_bytes(const Graph& graph, int value) {
  const Shape& shape = graph.values[value].shape;
  return std::int64_t{shape.w} * shape.c *
         static_cast<std::int64_t>(size_of(graph.values[value].dtype));
}

/// Where in a strip's memory the buffer of each value starts, or -1. `bytes`: of all buffers.
std::vector<std::int64_t> place_buffers(const Graph& graph, const std::vector<Strip>& strips,
                                        std::int64_t& bytes) {
  std::vector<int> rows(graph.values.size(), 0);  // alive at once
  for (const Strip& strip : strips) {
    for (const RowCall& call : strip) {
      int& most = rows[graph.steps[call.step].output];
      most = std::max(most, call.out.end - call.keep);
    }
  }
  rows[graph.outputs[0]] = 0;
  std::vector<std::int64_t> offset(graph.values.size(), -1);
  bytes = 0;
  for (std::size_t v = 0; v < rows.size(); ++v) {
    if (rows[v] == 0) continue;
    offset[v] = bytes;
    bytes += align(rows[v] * row_bytes(graph, static_cast<int>(v)));
  }
  return offset;
}

/// Follows a strip and notes where each call finds and leaves its rows.
class StripPlacer {
 public:
  StripPlacer(const Graph& graph, const std::vector<std::int64_t>& offset)
      : graph_(graph), offset_(offset), held_(graph.values.size()), producer_(graph.producers()) {}

  void place(Strip& strip) {
    for (RowCall& call : strip) {
      const Step& step = graph_.steps[call.step];
      for (std::size_t i = 0; i < step.inputs.size(); ++i) {
        call.inputs.push_back(step.inputs[i] == kNoValue
                                  ? RowPlace{}
                                  : place_of(step.inputs[i], call.part.inputs[i]));
      }
      if (step.output != graph_.outputs[0]) place_output(call, step.output);
    }
  }

 private:
  RowPlace place_of(int value, RowRange rows) const {
    RowPlace place;
    for (; producer_[value] >= 0 && graph_.steps[producer_[value]].op.is_view();
         value = graph_.steps[producer_[value]].inputs[0]) {
      place.views.insert(place.views.begin(), graph_.steps[producer_[value]].op);
    }
    if (producer_[value] >= 0) {
      place_in_buffer(place, value, rows);
    } else {
      const auto input = std::find(graph_.inputs.begin(), graph_.inputs.end(), value);
      place.input = static_cast<int>(input - graph_.inputs.begin());
      place.rows = rows;
    }
    return place;
  }

  void place_in_buffer(RowPlace& place, int value, RowRange rows) const {
    place.shape = graph_.values[value].shape;
    place.dtype = graph_.values[value].dtype;
    place.shape.h = rows.count();
    place.offset = offset_[value] + (rows.begin - held_[value].begin) * row_bytes(graph_, value);
  }

  void place_output(RowCall& call, int value) {
    RowRange& held = held_[value];
    if (!held.empty() && call.keep > held.begin) {
      call.move_to = offset_[value];
      call.move_from = offset_[value] + (call.keep - held.begin) * row_bytes(graph_, value);
      call.move_bytes = (held.end - call.keep) * row_bytes(graph_, value);
    }
    held = {held.empty() ? call.keep : std::max(held.begin, call.keep), call.out.end};
    place_in_buffer(call.y, value, call.out);
  }

  const Graph& graph_;
  const std::vector<std::int64_t>& offset_;
  std::vector<RowRange> held_;  // by value: the rows in its buffer
  std::vector<int> producer_;
};

std::int64_t scratch_of(const Graph& graph, const RowCall& call) {
  Shapes shapes = graph.shapes(graph.steps[call.step].inputs);
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    if (!call.part.inputs[i].empty()) shapes[i].h = call.part.inputs[i].count();
  }
  return call.part.op.scratch_bytes(shapes);
}

}  // namespace

double RowSchedule::flops() const {
  double flops = 0;
  for (const Strip& strip : strips)
    for (const RowCall& call : strip) {
      const Step& step = graph.steps[call.step];
      flops += step.op.cost(graph.shapes(step.inputs)).flops * call.out.count() /
               graph.values[step.output].shape.h;
    }
  return flops;
}

std::int64_t RowSchedule::moved_bytes() const {
  std::int64_t bytes = 0;
  for (const Strip& strip : strips)
    for (const RowCall& call : strip) bytes += call.move_bytes;
  return bytes;
}

RowSchedule make_row_schedule(Graph chain, std::vector<int> images, int band, int strips) {
  RowSchedule schedule;
  schedule.graph = std::move(chain);
  schedule.images = std::move(images);
  const Graph& graph = schedule.graph;
  const Step& last = graph.steps.back();
  const int rows = graph.values[last.output].shape.h;
  const int grid = last.op.row_part(graph.shapes(last.inputs), {0, 1}).value().grid;
  schedule.band = std::min(round_up(std::max(band, 1), grid), round_up(rows, grid));

  // Strips of whole bands, as even as can be.
  const std::int64_t bands = (rows + schedule.band - 1) / schedule.band;
  const std::int64_t count = std::clamp<std::int64_t>(strips, 1, bands);
  for (std::int64_t s = 0; s < count; ++s) {
    const RowRange strip{static_cast<int>(bands * s / count) * schedule.band,
                         std::min(static_cast<int>(bands * (s + 1) / count) * schedule.band, rows)};
    schedule.strips.push_back(StripPlanner(graph).plan(strip, schedule.band));
  }
  const std::vector<std::int64_t> offset =
      place_buffers(graph, schedule.strips, schedule.buffer_bytes);
  std::int64_t scratch = 0;
  for (Strip& strip : schedule.strips) {
    StripPlacer(graph, offset).place(strip);
    for (const RowCall& call : strip) scratch = std::max(scratch, scratch_of(graph, call));
  }
  schedule.strip_bytes = schedule.buffer_bytes + align(scratch);
  return schedule;
}

}  // namespace mend
