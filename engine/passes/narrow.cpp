#include <map>

#include "engine/passes.h"

namespace mend {
namespace {

/// Rewrites the steps of a graph one after the other, and remembers what it has converted.
class Narrowing {
 public:
  Narrowing(Graph& graph, const NarrowImages& images)
      : graph_(graph), images_(images), type_(images.to_narrow.dtype()) {}

  void rewrite(Step step) {
    if (step.op.is_view()) {
      graph_.values[step.output].dtype = dtype_of(step.inputs[0]);
    } else if (const std::optional<Narrowed> narrowed = narrowed_form(step)) {
      step.op = narrowed->op;
      for (std::size_t i = 0; i < step.inputs.size(); ++i) {
        const bool is_narrow = (narrowed->inputs >> i & 1) != 0;
        step.inputs[i] = as(step.inputs[i], is_narrow ? type_ : DType::kF32, step.label);
      }
      graph_.values[step.output].dtype = step.op.dtype();
    } else {
      for (int& input : step.inputs) input = as(input, DType::kF32, step.label);
    }
    steps_.push_back(std::move(step));
  }

  void finish() {
    for (int& output : graph_.outputs) output = as(output, DType::kF32, {});
    graph_.steps = std::move(steps_);
  }

 private:
  DType dtype_of(int value) const {
    return value == kNoValue ? DType::kF32 : graph_.values[value].dtype;
  }

  std::optional<Narrowed> narrowed_form(const Step& step) const {
    const std::optional<Narrowed> narrowed =
        step.op.narrow(graph_.shapes(step.inputs), type_, DeviceKind::kCuda);
    if (!narrowed || narrowed->leads) return narrowed;
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      const bool reads_narrow = (narrowed->inputs >> i & 1) != 0;
      if (reads_narrow && dtype_of(step.inputs[i]) == type_) return narrowed;
    }
    return std::nullopt;
  }

  /// `value` in that type. Only f32 and the narrow type are converted; codes of 8 bits stay.
  int as(int value, DType type, const std::string& label) {
    if (value == kNoValue) return value;
    const DType is = graph_.values[value].dtype;
    if (is == type || (is != DType::kF32 && is != type_)) return value;
    const auto [known, is_new] = converted_.try_emplace({value, type}, kNoValue);
    if (is_new) {
      known->second = graph_.add_value(graph_.values[value].shape, type);
      const AnyOp& convert = type == type_ ? images_.to_narrow : images_.to_f32;
      steps_.push_back({convert, {value}, known->second, label});
    }
    return known->second;
  }

  Graph& graph_;
  const NarrowImages& images_;
  const DType type_;
  std::vector<Step> steps_;
  std::map<std::pair<int, DType>, int> converted_;
};

}  // namespace

void narrow(Graph& graph, const NarrowImages& images) {
  std::vector<Step> steps = std::move(graph.steps);
  Narrowing narrowing(graph, images);
  for (Step& step : steps) narrowing.rewrite(std::move(step));
  narrowing.finish();
}

}  // namespace mend
