#include "engine/trace.h"

#include <cassert>

namespace mend {

int Graph::add_value(const Shape& shape, DType dtype) {
  values.push_back({shape, false, {}, dtype});
  return static_cast<int>(values.size()) - 1;
}

int Graph::add_constant(const Tensor& constant) {
  assert(constant.storage() != nullptr);
  // Off its tape: a tape keeps placeholders, which keep their trace.
  values.push_back({constant.shape(), true, constant.taped(nullptr), constant.dtype()});
  return static_cast<int>(values.size()) - 1;
}

Shapes Graph::shapes(const std::vector<int>& ids) const {
  Shapes shapes;
  for (const int id : ids) shapes.push_back(id == kNoValue ? Shape{} : values[id].shape);
  return shapes;
}

std::vector<int> Graph::producers() const {
  std::vector<int> producer(values.size(), -1);
  for (std::size_t s = 0; s < steps.size(); ++s) producer[steps[s].output] = static_cast<int>(s);
  return producer;
}

std::vector<int> Graph::uses() const {
  std::vector<int> count(values.size(), 0);
  for (const Step& step : steps) {
    for (const int input : step.inputs) {
      if (input != kNoValue) ++count[input];
    }
  }
  for (const int output : outputs) ++count[output];
  return count;
}

Cost Graph::cost() const {
  Cost total;
  for (const Step& step : steps) total += step.op.cost(shapes(step.inputs));
  return total;
}

namespace {

/// The quotient of two extents if it is a whole number or one over one, else `composed`. Strides
/// that leave a rest make composed scales drift (127 pixels are 64 at "half" their number), and an
/// image that is back at its own size must have scale 1 again.
double exact_scale(const Shape& image, const Shape& input, double composed) {
  const auto whole = [](int a, int b) { return a % b == 0; };
  if (whole(image.h, input.h) && whole(image.w, input.w) &&
      image.h / input.h == image.w / input.w) {
    return image.h / input.h;
  }
  if (whole(input.h, image.h) && whole(input.w, image.w) &&
      input.h / image.h == input.w / image.w && image.h > 1) {
    return 1.0 / (input.h / image.h);
  }
  return composed;
}

}  // namespace

Footprint Graph::footprint(const std::vector<int>& images) const {
  std::vector<Footprint> sees(values.size());
  std::vector<bool> known(values.size(), false);
  for (const int image : images) known[image] = true;
  for (const Step& step : steps) {
    const Footprint own = step.op.footprint(shapes(step.inputs));
    for (const int input : step.inputs) {
      if (input == kNoValue || !known[input]) continue;
      const Footprint through = sees[input].then(own);
      Footprint& y = sees[step.output];
      y = known[step.output] ? y.beside(through) : through;
      known[step.output] = true;
    }
    Footprint& y = sees[step.output];
    y.scale = exact_scale(values[step.output].shape, values[images.front()].shape, y.scale);
  }
  return sees[outputs.front()];
}

Tensor Trace::input(const Shape& shape) {
  const int value = graph_.add_value(shape);
  graph_.inputs.push_back(value);
  return Tensor::placeholder(shared_from_this(), value, shape);
}

int Trace::value_of(const Tensor& tensor) {
  if (!tensor.defined()) return kNoValue;
  if (!tensor.is_placeholder()) return graph_.add_constant(tensor);
  assert(tensor.trace().get() == this);
  return tensor.traced_value();
}

Tensor Trace::record(const AnyOp& op, Inputs inputs) {
  std::vector<int> ids;
  std::string label;
  for (const Tensor& input : inputs) {
    ids.push_back(value_of(input));
    if (label.empty() && !input.name().empty()) {
      label = input.name().substr(0, input.name().rfind('.'));
    }
  }
  const Shape shape = op.shape(shapes_of(inputs));
  const int output = graph_.add_value(shape, op.dtype());
  graph_.steps.push_back({op, std::move(ids), output, std::move(label)});
  return Tensor::placeholder(shared_from_this(), output, shape);
}

Graph Trace::finish(const std::vector<Tensor>& outputs) {
  Graph graph = graph_;
  for (const Tensor& output : outputs) {
    assert(output.is_placeholder() && output.trace().get() == this);
    graph.outputs.push_back(output.traced_value());
  }
  return graph;
}

Graph trace(const Network& network, const Shapes& inputs) {
  const auto trace = std::make_shared<Trace>();
  std::vector<Tensor> placeholders;
  for (const Shape& shape : inputs) placeholders.push_back(trace->input(shape));
  return trace->finish(network(placeholders));
}

}  // namespace mend
