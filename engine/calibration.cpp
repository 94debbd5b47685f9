#include "engine/calibration.h"

#include <algorithm>
#include <cassert>
#include <map>

#include "engine/passes.h"
#include "engine/quantization.h"

namespace mend {
namespace {

/// The least and the greatest number of each channel.
struct Range {
  std::vector<float> low, high;

  void widen(const Tensor& tensor) {
    const View<const float> x = tensor.view<const float>();
    const Shape& s = x.shape;
    low.resize(static_cast<std::size_t>(s.c));
    high.resize(static_cast<std::size_t>(s.c));
    for (int n = 0; n < s.n; ++n)
      for (int h = 0; h < s.h; ++h)
        for (int w = 0; w < s.w; ++w) {
          const float* pixel = x.pixel(n, h, w);
          for (int c = 0; c < s.c; ++c) {
            float &least = low[static_cast<std::size_t>(c)],
                  &most = high[static_cast<std::size_t>(c)];
            least = std::min(least, pixel[c]);
            most = std::max(most, pixel[c]);
          }
        }
  }

  Tensor code() const {
    const Tensor code = Tensor::empty(code_shape(static_cast<int>(low.size())));
    for (std::size_t c = 0; c < low.size(); ++c) {
      set_code(code.view<float>(), static_cast<int>(c), low[c], high[c]);
    }
    return code;
  }
};

Graph fused_graph(const Network& network, const Shapes& inputs) {
  Graph graph = trace(network, inputs);
  fuse(graph);
  return graph;
}

/// The same steps on their rungs, with constants packed: once for all samples.
Graph made_ready(Graph graph) {
  lower(graph);
  for (const Step& step : hoist_constants(graph)) {
    std::vector<Tensor> operands;
    for (const int input : step.inputs) {
      operands.push_back(input == kNoValue ? Tensor() : graph.values[input].constant);
    }
    graph.values[step.output].constant = mend::apply(step.op, operands);
  }
  return graph;
}

/// Runs the steps and widens the ranges of the values that have one.
void observe(const Graph& graph, const std::vector<Tensor>& sample, std::map<int, Range>& ranges) {
  std::vector<Tensor> values;
  for (const Value& value : graph.values) values.push_back(value.constant);
  const auto seen = [&](int value) {
    if (const auto range = ranges.find(value); range != ranges.end()) {
      range->second.widen(values[value]);
    }
  };
  for (std::size_t i = 0; i < sample.size(); ++i) {
    values[graph.inputs[i]] = sample[i];
    seen(graph.inputs[i]);
  }
  std::vector<int> readers = graph.uses();
  for (const Step& step : graph.steps) {
    std::vector<Tensor> operands;
    for (const int input : step.inputs) {
      operands.push_back(input == kNoValue ? Tensor() : values[input]);
    }
    values[step.output] = mend::apply(step.op, operands);
    seen(step.output);
    for (const int input : step.inputs) {
      if (input != kNoValue && --readers[input] == 0) values[input] = Tensor();
    }
  }
}

Calibration calibration_of(const Graph& graph, const std::vector<std::size_t>& quantizable,
                           const std::map<int, Range>& ranges) {
  std::map<int, Tensor> codes;
  for (const auto& [value, range] : ranges) codes[value] = range.code();
  Calibration calibration;
  for (const std::size_t s : quantizable) {
    const Step& step = graph.steps[s];
    calibration.steps.push_back({step.label, codes[step.inputs[0]], codes[step.output]});
  }
  return calibration;
}

}  // namespace

std::vector<std::size_t> quantizable_steps(const Graph& graph) {
  std::vector<std::size_t> steps;
  for (std::size_t s = 0; s < graph.steps.size(); ++s) {
    const Step& step = graph.steps[s];
    if (step.inputs.empty() || step.inputs[0] == kNoValue) continue;
    if (graph.values[step.inputs[0]].is_constant) continue;
    if (step.op.quantize(graph.shapes(step.inputs), false)) steps.push_back(s);
  }
  return steps;
}

Calibration calibrate(const Network& network, const std::vector<std::vector<Tensor>>& samples) {
  assert(!samples.empty());
  // All samples have one shape, or values would not have the same numbers in each graph.
  const Graph graph = fused_graph(network, shapes_of(samples.front()));
  const std::vector<std::size_t> quantizable = quantizable_steps(graph);
  std::map<int, Range> ranges;  // by value
  for (const std::size_t s : quantizable) {
    ranges[graph.steps[s].inputs[0]];
    ranges[graph.steps[s].output];
  }
  if (quantizable.empty()) return {};
  const Graph ready = made_ready(graph);  // the values keep their numbers
  for (const std::vector<Tensor>& sample : samples) {
    assert(shapes_of(sample) == shapes_of(samples.front()));
    observe(ready, sample, ranges);
  }
  return calibration_of(graph, quantizable, ranges);
}

Calibration nominal_calibration(const Network& network, const Shapes& inputs) {
  const Graph graph = fused_graph(network, inputs);
  const std::vector<std::size_t> quantizable = quantizable_steps(graph);
  std::map<int, Range> ranges;
  for (const std::size_t s : quantizable) {
    for (const int value : {graph.steps[s].inputs[0], graph.steps[s].output}) {
      const std::vector<float> none(static_cast<std::size_t>(graph.values[value].shape.c));
      ranges[value] = {none, none};
    }
  }
  return calibration_of(graph, quantizable, ranges);
}

}  // namespace mend
