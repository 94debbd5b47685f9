#include "train/initialize.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/trace.h"
#include "models/registry.h"
#include "train/entries.h"
#include "train/fnv1a.h"
#include "train/random.h"

namespace mend {
namespace {

constexpr double kSlope = 0.25;

bool mentions(const std::string& key, std::string_view part) {
  return key.find(part) != std::string::npos;
}

/// How many inputs each output sums; 0 for a vector of one number a channel.
std::int64_t fan_in_of(const Parameter& parameter) {
  const std::vector<std::int64_t>& shape = parameter.stored_shape;
  if (shape.size() < 2) return 0;
  std::int64_t taps = 1;
  for (std::size_t d = 2; d < shape.size(); ++d) taps *= shape[d];
  const bool transposed = parameter.layout == ParameterLayout::kTransposedKernel;
  return taps * (transposed ? shape[0] / parameter.groups : shape[1]);
}

/// The value that all numbers of a vector start with.
double start_of(const std::string& key) {
  if (key.ends_with("bias")) return 0;
  if (key.ends_with("beta") || key.ends_with("gamma") || mentions(key, "layer_scale")) return 0.1;
  if (mentions(key, "norm") || mentions(key, "temperature") || mentions(key, ".bn")) return 1;
  if (key.ends_with("running_var")) return 1;
  if (key.ends_with("running_mean")) return 0;
  return kSlope;
}

StoredTensor drawn(const Parameter& parameter, bool is_last, std::uint64_t seed) {
  RandomStream random(seed, fnv1a(std::as_bytes(std::span(parameter.key))));
  const std::int64_t fan_in = fan_in_of(parameter);
  std::vector<float> values(static_cast<std::size_t>(parameter.tensor.shape().elements()));
  const bool is_gain = parameter.key.ends_with("beta") || parameter.key.ends_with("gamma") ||
                       mentions(parameter.key, "temperature");
  if (mentions(parameter.key, "relative_position")) {
    for (float& value : values) value = static_cast<float>(0.02 * random.gaussian());
  } else if (fan_in == 0 || is_gain) {
    for (float& value : values) value = static_cast<float>(start_of(parameter.key));
  } else {
    const double gain = 2 / (1 + kSlope * kSlope);
    const double bound = std::sqrt(3 * gain / static_cast<double>(fan_in)) * (is_last ? 0.1 : 1);
    for (float& value : values) value = static_cast<float>(random.uniform(-bound, bound));
  }
  return make_stored_tensor(parameter.stored_shape, values);
}

/// The key of the weight that the network's last convolution reads; empty if it has none.
std::string last_weight(const Built& built) {
  constexpr int kSide = 64;
  const Shape input{1, kSide, kSide, built.traits.input_channels};
  std::string last;
  for (const Step& step : trace(built.forward, {input}).steps) {
    if (step.op.name() == "conv2d" && !step.label.empty()) last = step.label + ".weight";
  }
  return last;
}

void make_zero(const std::string&, StoredTensor& tensor) {
  tensor = make_stored_tensor(tensor.shape,
                              std::vector<float>(static_cast<std::size_t>(tensor.elements()), 0));
}

/// A weight of [outputs, inputs, k, k]; biases stay.
void make_identity(const std::string& key, StoredTensor& tensor) {
  if (!key.ends_with(".weight")) return;
  const std::vector<std::int64_t>& shape = tensor.shape;
  if (shape.size() != 4 || shape[2] % 2 == 0 || shape[3] % 2 == 0) {
    throw UsageError(fmt::format("initialize: {} is no convolution of odd size", key));
  }
  std::vector<float> values = tensor.to_f32();
  const std::int64_t taps = shape[2] * shape[3], row = shape[1] * taps;
  for (std::int64_t i = 0; i < std::min(shape[0], shape[1]); ++i) {
    std::fill_n(values.begin() + i * row, row, 0.0F);
    values[static_cast<std::size_t>(i * row + i * taps + taps / 2)] = 1;
  }
  tensor = make_stored_tensor(shape, values);
}

struct Start {
  const char* name;
  void (*start)(const std::string& key, StoredTensor& tensor);
};
constexpr Start kStarts[] = {{"zero", make_zero}, {"identity", make_identity}};

}  // namespace

void start_layers(Checkpoint& checkpoint, const Json& rules) {
  Entries entries(rules, "initialize");
  for (const auto& [name, start] : kStarts) {
    std::vector<std::string> patterns;
    entries.take(name, patterns);
    for (const std::string& pattern : patterns) {
      bool used = false;
      for (auto& [key, tensor] : checkpoint.tensors) {
        const std::size_t dot = key.rfind('.');
        const std::string layer = key.substr(0, dot);
        if (dot == std::string::npos || fnmatch(pattern.c_str(), layer.c_str(), 0) != 0) continue;
        start(key, tensor);
        used = true;
      }
      if (!used) throw UsageError(fmt::format("initialize: no layer is called '{}'", pattern));
    }
  }
  entries.finish();
}

const Architecture& architecture_named(const std::string& name) {
  for (const Architecture& architecture : architectures()) {
    if (architecture.name == name) return architecture;
  }
  throw UsageError(fmt::format("'{}' is no network; `mend models` lists their names", name));
}

StoredTensor initial_tensor(const Parameter& parameter, std::uint64_t seed) {
  return drawn(parameter, false, seed);
}

Checkpoint initial_checkpoint(const Architecture& architecture, const Json& hyperparameters,
                              std::uint64_t seed) {
  const auto store = ParameterStore::untrained(architecture.title);
  std::string last;
  try {
    last = last_weight(architecture.make(Scope(store), hyperparameters));
  } catch (const nlohmann::json::exception& error) {
    throw CheckpointError(fmt::format("{}: hyper-parameters: {}", architecture.name, error.what()));
  }
  Checkpoint checkpoint;
  checkpoint.path = architecture.name + " at its start";
  checkpoint.format = "safetensors";
  for (const auto& [key, parameter] : store->bound()) {
    checkpoint.tensors[key] = drawn(parameter, key == last, seed);
  }
  checkpoint.metadata["hyperparameters"] = hyperparameters.dump();
  return checkpoint;
}

}  // namespace mend
