// A network whose parameters can change: what gradients and training need of it.
#pragma once

#include <vector>

#include "engine/op.h"
#include "models/registry.h"
#include "weights/parameter.h"

namespace mend {

/// A checkpoint's network with any tensors for its parameters. It is built again for each call, by the
/// code that builds it for inference: networks and layers know nothing of training.
class TrainableModel {
 public:
  /// Throws as load_model does.
  explicit TrainableModel(const Checkpoint& checkpoint, const Json& config = Json::object());

  const Traits& traits() const { return traits_; }
  /// As it was read, under official keys, and all hyper-parameters.
  const Checkpoint& checkpoint() const { return identified_.checkpoint; }
  const Json& hyperparameters() const { return hyperparameters_; }
  /// "RRDBNet(num_feat 64, ...)"
  const std::string& description() const { return description_; }
  /// Those that training changes, in the order of their keys; each with the name that it has in the file.
  const std::vector<Parameter>& parameters() const { return parameters_; }

  /// The network's outputs with `parameters`, shaped and ordered like parameters(), in place of the
  /// loaded ones. They may be plain tensors, on a tape, or placeholders.
  Tensors forward(const Tensors& parameters, const Tensors& inputs) const;

 private:
  Identified identified_;
  Json hyperparameters_;
  std::string description_;
  Traits traits_;
  std::vector<Parameter> parameters_;
};

/// What a network gives, and dL/d(input) and dL/d(parameter); a gradient is undefined where L does not
/// depend on the tensor.
struct NetworkGradients {
  Tensors outputs, inputs, parameters;
};

/// The gradients of L with dL/d(outputs[i]) = cotangents[i], an undefined one being 0. Plain tensors
/// are computed at once, placeholders traced. Throws UsageError if an operation has no gradient.
NetworkGradients gradients_of(const TrainableModel& model, const Tensors& parameters,
                              const Tensors& inputs, const Tensors& cotangents);

/// The same with the loaded parameters, from one plan of forward and backward.
NetworkGradients planned_gradients(const TrainableModel& model, const Tensors& inputs,
                                   const Tensors& cotangents);

/// The model's checkpoint with `parameters`, shaped and ordered like model.parameters(), in their places.
Checkpoint checkpoint_of(const TrainableModel& model, const Tensors& parameters);

/// The loaded values of parameters().
Tensors values_of(const TrainableModel& model);

}  // namespace mend
