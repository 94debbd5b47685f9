#include "models/trainable.h"

#include <cassert>
#include <map>
#include <memory>
#include <utility>

#include "kernels/gradient_tape.h"

namespace mend {
namespace {

std::vector<Parameter> trained_of(const ParameterStore& store) {
  std::vector<Parameter> trained;
  for (const auto& [key, parameter] : store.bound()) {
    if (is_parameter(key, store.used())) trained.push_back(parameter);
  }
  return trained;
}

/// Where a tensor's elements lie: renaming it does not move them.
using Place = std::pair<const Bytes*, std::int64_t>;
Place place_of(const StoredTensor& tensor) { return {tensor.storage.get(), tensor.offset}; }

std::map<Place, std::string> names_in_file(const Checkpoint& checkpoint) {
  std::map<Place, std::string> names;
  for (const auto& [key, tensor] : checkpoint.tensors) names[place_of(tensor)] = key;
  return names;
}

/// The network on what `store` gives.
Network network_of(const Architecture& architecture, const Json& hyperparameters,
                   const std::shared_ptr<ParameterStore>& store) {
  return make_network(architecture, hyperparameters, store).forward;
}

/// The tensors that are there, in one list, and back.
class Packed {
 public:
  void add(const Tensors& tensors) {
    for (const Tensor& tensor : tensors) {
      there_.push_back(tensor.defined());
      if (tensor) all_.push_back(tensor);
    }
  }
  const Tensors& all() const { return all_; }

  /// The next `count` tensors of `from`, a list like all(), with the undefined ones in their places.
  Tensors take(const Tensors& from, std::size_t count) {
    Tensors taken;
    for (std::size_t i = 0; i < count; ++i) {
      taken.push_back(there_[place_++] ? from[next_++] : Tensor());
    }
    return taken;
  }
  void rewind() { place_ = next_ = 0; }

 private:
  std::vector<bool> there_;
  Tensors all_;
  std::size_t place_ = 0, next_ = 0;
};

}  // namespace

TrainableModel::TrainableModel(const Checkpoint& checkpoint, const Json& config)
    : identified_(identify(checkpoint)),
      hyperparameters_(complete_hyperparameters(identified_, config)),
      description_(describe(*identified_.architecture, hyperparameters_)),
      traits_(TilePolicy::kExactHalo) {
  const auto store = std::make_shared<ParameterStore>(identified_.checkpoint, description_);
  traits_ = make_network(*identified_.architecture, hyperparameters_, store).traits;
  store->finish();
  parameters_ = trained_of(*store);
  const auto names = names_in_file(checkpoint);
  for (Parameter& parameter : parameters_) {
    const auto stored = identified_.checkpoint.tensors.find(parameter.key);
    if (stored == identified_.checkpoint.tensors.end()) continue;  // derived from others
    const auto name = names.find(place_of(stored->second));
    parameter.file_key =
        checkpoint.stripped_prefix + (name == names.end() ? parameter.key : name->second);
  }
}

Tensors TrainableModel::forward(const Tensors& parameters, const Tensors& inputs) const {
  assert(parameters.size() == parameters_.size());
  std::map<std::string, Tensor> replaced;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    replaced[parameters_[i].key] = parameters[i];
  }
  const auto store = std::make_shared<ParameterStore>(identified_.checkpoint, description_);
  store->replace(std::move(replaced));
  return network_of(*identified_.architecture, hyperparameters_, store)(inputs);
}

Checkpoint checkpoint_of(const TrainableModel& model, const Tensors& parameters) {
  Checkpoint checkpoint = model.checkpoint();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Parameter& parameter = model.parameters()[i];
    checkpoint.tensors[parameter.key] = to_stored(parameter, parameters[i]);
  }
  return checkpoint;
}

Tensors values_of(const TrainableModel& model) {
  Tensors values;
  for (const Parameter& parameter : model.parameters()) values.push_back(parameter.tensor);
  return values;
}

NetworkGradients gradients_of(const TrainableModel& model, const Tensors& parameters,
                              const Tensors& inputs, const Tensors& cotangents) {
  const auto tape = make_gradient_tape();
  Tensors watched, taped_parameters, taped_inputs;
  for (const Tensor& input : inputs) {
    watched.push_back(taped_inputs.emplace_back(tape->watch(input)));
  }
  for (const Tensor& parameter : parameters) {
    watched.push_back(taped_parameters.emplace_back(tape->watch(parameter)));
  }
  const Tensors outputs = model.forward(taped_parameters, taped_inputs);
  Tensors ends, of_ends;
  for (std::size_t i = 0; i < outputs.size() && i < cotangents.size(); ++i) {
    if (!cotangents[i]) continue;
    ends.push_back(outputs[i]);
    of_ends.push_back(cotangents[i]);
  }
  const Tensors made = tape->gradients(ends, of_ends, watched);
  NetworkGradients result;
  for (const Tensor& output : outputs) result.outputs.push_back(output.taped(nullptr));
  const auto split = made.begin() + static_cast<std::ptrdiff_t>(inputs.size());
  result.inputs.assign(made.begin(), split);
  result.parameters.assign(split, made.end());
  return result;
}

NetworkGradients planned_gradients(const TrainableModel& model, const Tensors& inputs,
                                   const Tensors& cotangents) {
  const Tensors parameters = values_of(model);
  Packed given, made;
  for (const Tensors* tensors : {&parameters, &inputs, &cotangents}) given.add(*tensors);
  std::size_t outputs = 0;
  Shapes shapes;
  for (const Tensor& tensor : given.all()) shapes.push_back(tensor.shape());
  Plan plan(
      [&](const Tensors& placeholders) {
        given.rewind();
        const Tensors in_parameters = given.take(placeholders, parameters.size());
        const Tensors in = given.take(placeholders, inputs.size());
        const Tensors of = given.take(placeholders, cotangents.size());
        const NetworkGradients traced = gradients_of(model, in_parameters, in, of);
        outputs = traced.outputs.size();
        for (const Tensors* tensors : {&traced.outputs, &traced.inputs, &traced.parameters}) {
          made.add(*tensors);
        }
        return made.all();
      },
      shapes);
  const Tensors results = plan(given.all());
  NetworkGradients gradients;
  gradients.outputs = made.take(results, outputs);
  gradients.inputs = made.take(results, inputs.size());
  gradients.parameters = made.take(results, parameters.size());
  return gradients;
}

}  // namespace mend
