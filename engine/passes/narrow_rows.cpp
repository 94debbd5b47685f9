#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/passes.h"

namespace mend {
namespace {

/// How a step takes narrow images.
enum class Way {
  kNot,     ///< only once they are f32
  kView,    ///< as what it looks at
  kItself,  ///< its rung reads and writes them
  kByRows,  ///< f32 beside conversions, which chain_rows can join with it band by band
};

class RowNarrowing {
 public:
  RowNarrowing(Graph& graph, const NarrowImages& images)
      : graph_(graph),
        images_(images),
        type_(images.to_narrow.dtype()),
        producer_(graph.producers()),
        uses_(graph.uses()),
        steps_(std::exchange(graph.steps, {})),
        is_wanted_(graph.values.size()) {}

  void run() {
    std::vector<Way> ways(steps_.size());
    for (std::size_t s = steps_.size(); s-- > 0;) ways[s] = find_way(steps_[s]);
    for (std::size_t s = 0; s < steps_.size(); ++s) rewrite(steps_[s], ways[s]);
    for (int& output : graph_.outputs) output = as(output, DType::kF32, {});
  }

 private:
  std::optional<Narrowed> narrowed(const Step& step) const {
    return step.op.narrow(graph_.shapes(step.inputs), type_, DeviceKind::kCpu);
  }
  std::optional<RowPart> row_part(const Step& step) const {
    return step.op.row_part(graph_.shapes(step.inputs), {0, 1});
  }

  /// Notes which of its inputs the step would read narrow. Called from the last step on, so that it is known whether
  /// somebody wants the step's own output so.
  Way find_way(const Step& step) {
    if (step.op.is_view()) {
      want(step.inputs[0], is_wanted_[step.output]);
      return Way::kView;
    }
    const std::optional<Narrowed> itself = narrowed(step);
    if (itself && is_wanted_[step.output]) {
      want_images_of(step, *itself);
      return Way::kItself;
    }
    if (const std::optional<RowPart> part = row_part(step)) {
      for (std::size_t i = 0; i < part->inputs.size(); ++i) {
        want(step.inputs[i], !part->inputs[i].empty() && !is_link(step.inputs[i]));
      }
      return Way::kByRows;
    }
    if (!itself) return Way::kNot;
    want_images_of(step, *itself);
    return Way::kItself;
  }

  void want_images_of(const Step& step, const Narrowed& form) {
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      want(step.inputs[i], (form.inputs >> i & 1) != 0);
    }
  }

  void want(int value, bool wanted) {
    if (value != kNoValue && wanted) is_wanted_[value] = true;
  }

  /// Whether one step that can only run by rows, and that keeps the size of its images, writes `value` for another alone:
  /// it stays f32, since large ones become a chain. Says nothing of extents or threads, so the numbers do not depend on them.
  bool is_link(int value) const {
    if (value == kNoValue || producer_[value] < 0 || uses_[value] != 1) return false;
    const Step& step = steps_[static_cast<std::size_t>(producer_[value])];
    if (step.op.is_view() || narrowed(step)) return false;
    const std::optional<RowPart> part = row_part(step);
    if (!part) return false;
    const Shape& y = graph_.values[value].shape;
    for (std::size_t i = 0; i < part->inputs.size(); ++i) {
      if (part->inputs[i].empty()) continue;
      const Shape& x = graph_.values[step.inputs[i]].shape;
      if (x.h != y.h || x.w != y.w) return false;
    }
    return true;
  }

  void rewrite(Step step, Way way) {
    switch (way) {
      case Way::kView:
        graph_.values[step.output].dtype = graph_.values[step.inputs[0]].dtype;
        break;
      case Way::kItself:
        read_itself(step, *narrowed(step));
        break;
      case Way::kByRows:
        return write_by_rows(std::move(step));
      case Way::kNot:
        for (int& input : step.inputs) input = as(input, DType::kF32, step.label);
    }
    graph_.steps.push_back(std::move(step));
  }

  void read_itself(Step& step, const Narrowed& form) {
    step.op = form.op;
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      const bool is_narrow = (form.inputs >> i & 1) != 0;
      step.inputs[i] = as(step.inputs[i], is_narrow ? type_ : DType::kF32, step.label);
    }
    graph_.values[step.output].dtype = step.op.dtype();
  }

  void write_by_rows(Step step) {
    const std::string label = step.label;
    for (int& input : step.inputs) {
      if (input == kNoValue || graph_.values[input].dtype != type_) continue;
      input = convert(input, DType::kF32, label);  // for this step alone: a chain can take it in
    }
    const int output = step.output;
    if (is_wanted_[output]) step.output = graph_.add_value(graph_.values[output].shape);
    const int wide = step.output;
    graph_.steps.push_back(std::move(step));
    if (!is_wanted_[output]) return;
    graph_.values[output].dtype = type_;
    graph_.steps.push_back({images_.to_narrow, {wide}, output, label});
  }

  int convert(int value, DType type, const std::string& label) {
    const int converted = graph_.add_value(graph_.values[value].shape, type);
    const AnyOp& op = type == type_ ? images_.to_narrow : images_.to_f32;
    graph_.steps.push_back({op, {value}, converted, label});
    return converted;
  }

  /// `value` in that type. Only f32 and the narrow type are converted; codes of 8 bits stay.
  int as(int value, DType type, const std::string& label) {
    if (value == kNoValue) return value;
    const DType is = graph_.values[value].dtype;
    if (is == type || (is != DType::kF32 && is != type_)) return value;
    const auto [known, is_new] = converted_.try_emplace({value, type}, kNoValue);
    if (is_new) known->second = convert(value, type, label);
    return known->second;
  }

  Graph& graph_;
  const NarrowImages& images_;
  const DType type_;
  const std::vector<int> producer_, uses_;
  const std::vector<Step> steps_;
  std::vector<bool> is_wanted_;  // by value: whether a step would read it narrow
  std::map<std::pair<int, DType>, int> converted_;
};

}  // namespace

void narrow_rows(Graph& graph, const NarrowImages& images) { RowNarrowing(graph, images).run(); }

}  // namespace mend
