#include <fmt/format.h>

#include <map>

#include "engine/error.h"
#include "engine/passes.h"

namespace mend {
namespace {

/// For each step its codes; null where it stays in f32. Steps are told apart by order and label, not
/// by number: for pictures of another size a network may pad and crop around the same steps.
std::vector<const Calibration::StepCodes*> codes_of_steps(const Graph& graph,
                                                          const Calibration& calibration) {
  std::vector<const Calibration::StepCodes*> codes(graph.steps.size(), nullptr);
  const std::vector<std::size_t> steps = quantizable_steps(graph);
  if (steps.size() != calibration.steps.size()) {
    throw UsageError(fmt::format(
        "int8: the network has {} steps that run on 8 bits here, but {} were calibrated",
        steps.size(), calibration.steps.size()));
  }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = graph.steps[steps[i]];
    if (step.label != calibration.steps[i].label) {
      throw UsageError(fmt::format("int8: step {} of the network is '{}', but '{}' was calibrated",
                                   i, step.label, calibration.steps[i].label));
    }
    codes[steps[i]] = &calibration.steps[i];
  }
  return codes;
}

/// For each value whether it is read only as the 8-bit input of steps that have codes.
std::vector<bool> read_in_8_bits(const Graph& graph,
                                 const std::vector<const Calibration::StepCodes*>& codes) {
  std::vector<bool> in_8_bits(graph.values.size(), true);
  for (const int output : graph.outputs) in_8_bits[output] = false;
  for (std::size_t s = 0; s < graph.steps.size(); ++s) {
    const std::vector<int>& inputs = graph.steps[s].inputs;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i] != kNoValue && (i > 0 || codes[s] == nullptr)) in_8_bits[inputs[i]] = false;
    }
  }
  return in_8_bits;
}

}  // namespace

void quantize(Graph& graph, const Calibration& calibration) {
  const auto codes = codes_of_steps(graph, calibration);
  const std::vector<bool> in_8_bits = read_in_8_bits(graph, codes);
  std::map<int, int> encoded;  // f32 value -> the same in 8 bits
  std::vector<Step> steps;
  for (std::size_t s = 0; s < graph.steps.size(); ++s) {
    Step step = std::move(graph.steps[s]);
    if (codes[s] == nullptr) {
      steps.push_back(std::move(step));
      continue;
    }
    const bool output = in_8_bits[step.output];
    const Quantized quantized = *step.op.quantize(graph.shapes(step.inputs), output);
    const int x = step.inputs[0], code = graph.add_constant(codes[s]->input);
    if (graph.values[x].dtype != DType::kI8) {
      if (!encoded.contains(x)) {
        encoded[x] = graph.add_value(graph.values[x].shape, DType::kI8);
        steps.push_back({quantized.encode, {x, code}, encoded[x], step.label});
      }
      step.inputs[0] = encoded[x];
    }
    step.op = quantized.op;
    step.inputs.resize(static_cast<std::size_t>(quantized.code_slot), kNoValue);
    step.inputs.push_back(code);
    step.inputs.push_back(output ? graph.add_constant(codes[s]->output) : kNoValue);
    graph.values[step.output].dtype = step.op.dtype();
    steps.push_back(std::move(step));
  }
  graph.steps = std::move(steps);
}

}  // namespace mend
