#include "train/training_state.h"

#include <fmt/format.h>

#include <map>
#include <span>

#include "engine/error.h"
#include "kernels/parameter_update/parameter_update.h"
#include "weights/safetensors.h"

namespace mend {
namespace {

/// As it lies in memory.
StoredTensor stored(const Tensor& tensor) {
  const Shape& shape = tensor.shape();
  const Tensor on_host = tensor.on(cpu());
  const float* values = on_host.view<const float>().data;
  return make_stored_tensor({shape.n, shape.h, shape.w, shape.c},
                            {values, values + shape.elements()});
}

struct Writer {
  std::map<std::string, StoredTensor> tensors;
  std::map<std::string, std::string> metadata;

  /// What is trained, and what its optimizer remembers of it.
  void add(const std::string& prefix, const std::vector<Parameter>& keys,
           const std::vector<Tensor>& values, const Optimizer::State& optimizer) {
    const std::size_t memories = keys.empty() ? 0 : optimizer.memory.size() / keys.size();
    std::string steps;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      tensors[prefix + "parameter/" + keys[i].key] = stored(values[i]);
      for (std::size_t m = 0; m < memories; ++m) {
        tensors[fmt::format("{}memory{}/{}", prefix, m, keys[i].key)] =
            stored(optimizer.memory[i * memories + m]);
      }
      steps += fmt::format("{} ", optimizer.steps[i]);
    }
    metadata[prefix + "memories"] = fmt::format("{}", memories);
    metadata[prefix + "steps"] = steps;
  }
};

class Reader {
 public:
  Reader(const std::string& path) : checkpoint_(read_checkpoint(path)) {}

  Tensor tensor(const std::string& name, const Shape& shape) const {
    const auto found = checkpoint_.tensors.find(name);
    const std::vector<std::int64_t> wanted{shape.n, shape.h, shape.w, shape.c};
    if (found == checkpoint_.tensors.end() || found->second.shape != wanted) {
      refuse(fmt::format("has no '{}' of {}", name, to_string(wanted)));
    }
    return Tensor::from(shape, found->second.to_f32());
  }
  const std::string& text(const std::string& name) const {
    const auto found = checkpoint_.metadata.find(name);
    if (found == checkpoint_.metadata.end()) refuse(fmt::format("does not say '{}'", name));
    return found->second;
  }
  double number(const std::string& name) const {
    const std::string& value = text(name);
    char* end = nullptr;
    const double number = std::strtod(value.c_str(), &end);
    if (value.empty() || *end != '\0') refuse(fmt::format("'{}' is no number", name));
    return number;
  }
  /// What Writer::add has written.
  void take(const std::string& prefix, const std::vector<Parameter>& keys,
            std::vector<Tensor>& values, Optimizer::State& optimizer) const {
    const auto memories = static_cast<int>(number(prefix + "memories"));
    const char* next = text(prefix + "steps").c_str();
    for (const Parameter& parameter : keys) {
      const Shape& shape = parameter.tensor.shape();
      values.push_back(tensor(prefix + "parameter/" + parameter.key, shape));
      for (int m = 0; m < memories; ++m) {
        optimizer.memory.push_back(
            tensor(fmt::format("{}memory{}/{}", prefix, m, parameter.key), shape));
      }
      char* end = nullptr;
      optimizer.steps.push_back(std::strtoll(next, &end, 10));
      if (end == next) refuse("has fewer counts of steps than parameters");
      next = end;
    }
  }
  [[noreturn]] void refuse(const std::string& what) const {
    throw CheckpointError(fmt::format(
        "{}: is no state of this training, it {}; give another folder, or remove the file",
        checkpoint_.path, what));
  }

 private:
  Checkpoint checkpoint_;
};

}  // namespace

std::vector<Tensor> copies_of(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> copies;
  for (const Tensor& tensor : tensors) copies.push_back(tensor.clone());
  return copies;
}

std::vector<Tensor> on(Device& device, const std::vector<Tensor>& tensors) {
  std::vector<Tensor> there;
  for (const Tensor& tensor : tensors) there.push_back(tensor.on(device));
  return there;
}

void put_back(const Tensor& copy, const Tensor& tensor) {
  if (!tensor || copy.address() == tensor.address()) return;
  tensor.device().copy(const_cast<void*>(tensor.address()), copy.address(),
                       static_cast<std::size_t>(tensor.bytes()));
}

void move_averages(const std::vector<Tensor>& averages, const std::vector<Tensor>& values,
                   double keep, TensorPieces& pieces) {
  if (averages.empty()) return;
  std::vector<PieceRow> rows;
  for (std::size_t i = 0; i < values.size(); ++i) rows.push_back({averages[i], values[i]});
  pieces.assign(averages.front().device(), rows);
  for_each_number(AverageRule{keep}, pieces.all());
}

void write_training_state(const std::string& path, const TrainingState& state,
                          const std::vector<Parameter>& parameters,
                          const std::vector<Parameter>& discriminator) {
  Writer writer;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    writer.tensors["average/" + parameters[i].key] = stored(state.averages[i]);
  }
  writer.add("", parameters, state.parameters, state.optimizer);
  if (!discriminator.empty()) {
    writer.add("discriminator/", discriminator, state.discriminator, state.discriminator_optimizer);
  }
  writer.metadata["step"] = fmt::format("{}", state.step);
  writer.metadata["rate_factor"] = fmt::format("{:.17g}", state.rate_factor);
  writer.metadata["rollbacks"] = fmt::format("{}", state.rollbacks);
  writer.metadata["best_psnr"] = fmt::format("{:.17g}", state.best_psnr);
  writer.metadata["recipe"] = state.recipe;
  write_safetensors(path, writer.tensors, writer.metadata);
}

TrainingState read_training_state(const std::string& path, const std::vector<Parameter>& parameters,
                                  const std::vector<Parameter>& discriminator) {
  const Reader reader(path);
  TrainingState state;
  state.step = static_cast<std::int64_t>(reader.number("step"));
  state.rate_factor = reader.number("rate_factor");
  state.rollbacks = static_cast<std::int64_t>(reader.number("rollbacks"));
  state.best_psnr = reader.number("best_psnr");
  state.recipe = reader.text("recipe");
  for (const Parameter& parameter : parameters) {
    state.averages.push_back(reader.tensor("average/" + parameter.key, parameter.tensor.shape()));
  }
  reader.take("", parameters, state.parameters, state.optimizer);
  if (!discriminator.empty()) {
    reader.take("discriminator/", discriminator, state.discriminator,
                state.discriminator_optimizer);
  }
  return state;
}

void broadcast(TrainingState& state, Replicas& replicas) {
  const auto send = [&](auto* first, std::size_t count) {
    replicas.broadcast(std::as_writable_bytes(std::span(first, count)));
  };
  send(&state.step, 1);
  send(&state.rate_factor, 1);
  send(&state.rollbacks, 1);
  send(&state.best_psnr, 1);
  for (std::vector<std::int64_t>* steps :
       {&state.optimizer.steps, &state.discriminator_optimizer.steps}) {
    send(steps->data(), steps->size());
  }
  for (const std::vector<Tensor>* tensors :
       {&state.parameters, &state.averages, &state.optimizer.memory, &state.discriminator,
        &state.discriminator_optimizer.memory}) {
    for (const Tensor& tensor : *tensors) {
      const Tensor here = tensor.on(cpu());
      send(here.view<float>().data, static_cast<std::size_t>(here.shape().elements()));
      if (!replicas.leads()) put_back(here, tensor);
    }
  }
}

}  // namespace mend
