// From what the user names to a network ready to run.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "models/network.h"
#include "models/trainable.h"
#include "weights/checkpoint.h"

namespace mend {

/// The options --weights and --config.
struct ModelSource {
  std::string weights;  ///< a file, or the name of a published checkpoint that was pulled
  std::string config;   ///< JSON, or a file of it: hyper-parameters that the file does not tell

  void add_config_to(CLI::App& command);
  void add_to(CLI::App& command);
  /// Throws UsageError, or CheckpointError that names the file.
  Model load() const;
  /// The same with parameters that can change.
  TrainableModel load_trainable() const;
  /// load(), or for the name of a configuration or network (`mend models`) whose checkpoint is not
  /// here that network with made-up parameters; says so. For what depends on shapes alone.
  Model load_or_make_up() const;
};

/// The checkpoint in the file, or of the published name. Throws CheckpointError.
Checkpoint open_checkpoint(const std::string& weights);

/// The JSON of --config. Throws UsageError.
Json parse_config(const std::string& config);

}  // namespace mend
