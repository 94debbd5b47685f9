// A network as a list of steps, noted while its eager code ran on placeholders.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/op.h"

namespace mend {

/// Something that a step reads or writes: a constant (a parameter), or pixels known only at run time.
struct Value {
  Shape shape;
  bool is_constant = false;
  Tensor constant;  ///< undefined while a hoisted step has yet to compute it
  DType dtype = DType::kF32;

  std::int64_t bytes() const {
    return shape.elements() * static_cast<std::int64_t>(size_of(dtype));
  }
};

/// One operation. Absent optional inputs are kNoValue.
struct Step {
  AnyOp op;
  std::vector<int> inputs;
  int output;
  std::string label;  ///< the parameters' common path, "body.0.rdb1.conv1"; empty without any
};

constexpr int kNoValue = -1;

/// Steps in an order in which they can run.
struct Graph {
  std::vector<Value> values;
  std::vector<Step> steps;
  std::vector<int> inputs, outputs;

  int add_value(const Shape& shape, DType dtype = DType::kF32);
  int add_constant(const Tensor& constant);
  Shapes shapes(const std::vector<int>& ids) const;
  /// For each value the step that writes it, or -1.
  std::vector<int> producers() const;
  /// For each value how many steps read it; being an output of the network counts as one more.
  std::vector<int> uses() const;

  Cost cost() const;
  /// What one pixel of the first output can see of the first input.
  Footprint footprint() const { return footprint({inputs.front()}); }
  /// What it can see of any of `images`, which have the same height and width.
  Footprint footprint(const std::vector<int>& images) const;
};

/// Any network as a function from its inputs to its outputs.
using Network = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

/// Takes note of what `apply` is asked to do with its placeholders.
class Trace : public std::enable_shared_from_this<Trace> {
 public:
  Tensor input(const Shape& shape);
  Tensor record(const AnyOp& op, Inputs inputs);
  /// The steps that lead to `outputs`; every output must come from this trace.
  Graph finish(const std::vector<Tensor>& outputs);

 private:
  int value_of(const Tensor& tensor);

  Graph graph_;
};

/// The steps of `network` on inputs of these shapes. Throws ShapeError if it cannot take them.
Graph trace(const Network& network, const Shapes& inputs);

}  // namespace mend
