// The table of networks, and how a checkpoint finds its row.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>

#include "models/architecture.h"

namespace mend {

/// All networks, in alphabetical order of their names.
std::span<const Architecture> architectures();

/// A checkpoint under official keys, the row it belongs to, and what its keys and shapes tell.
struct Identified {
  Checkpoint checkpoint;
  const Architecture* architecture;
  Recognised recognised;
};

/// Throws CheckpointError that names the first keys if no network has them.
Identified identify(Checkpoint checkpoint);

/// What `identify` found, completed: defaults, then the checkpoint's metadata "hyperparameters"
/// (JSON), then `config`, each stronger than the one before. Throws CheckpointError if one
/// contradicts the shapes, or what no file tells is missing; UsageError if `config` has an entry
/// that this network does not know.
Json complete_hyperparameters(const Identified& identified, const Json& config);

/// "RRDBNet(num_feat 64, num_block 23, ...)"
std::string describe(const Architecture& architecture, const Json& hyperparameters);

/// The network with its parameters from `store`, made for what the checkpoint's metadata "task" says it
/// was trained for (models/task.h): the weights decide that, and the same layers serve many tasks. Words
/// that are no task are not heeded: metadata of other programs has its own. Throws CheckpointError if
/// the network cannot do the task.
Built make_network(const Architecture& architecture, const Json& hyperparameters,
                   const std::shared_ptr<ParameterStore>& store);

/// Recognises the network, builds it and binds every parameter. Throws CheckpointError as above,
/// and one that names all missing, misshaped and surplus keys.
Model load_model(Checkpoint checkpoint, const Json& config = Json::object());

/// Whether training changes the tensor of this key by gradient, of a network with the keys `all`: not the
/// statistics of batch norm, the vectors of spectral norm, fixed noise and the colours' mean.
bool is_parameter(const std::string& key, const std::set<std::string>& all);

/// The network with these hyper-parameters, all of them, and numbers from a formula for parameters:
/// good for its time and memory, for nothing else. Throws CheckpointError if one is absurd.
Model untrained_model(const Architecture& architecture, const Json& hyperparameters);

}  // namespace mend
