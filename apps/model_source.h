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
  std::string weights;  ///< a file, the name of one that the program carries or that was pulled
  std::string config;   ///< JSON, or a file of it: hyper-parameters that the file does not tell

  void add_config_to(CLI::App& command);
  void add_to(CLI::App& command);
  /// Itself if --weights was given, else with the weights that the program carries for this task and
  /// scale (0: any). Throws UsageError if it carries none.
  ModelSource or_own_weights(const std::string& task, int scale = 0) const;
  /// Throws UsageError, or CheckpointError that names the file.
  Model load() const;
  /// The same with parameters that can change.
  TrainableModel load_trainable() const;
  /// load(), or for the name of a configuration or network (`mend models`) whose checkpoint is not
  /// here that network with made-up parameters; says so. For what depends on shapes alone.
  Model load_or_make_up() const;
};

/// The checkpoint in the file, or of the name: one that the program carries ("mend:denoise", or
/// "denoise" if no file is called so), or a published one. Throws CheckpointError.
Checkpoint open_checkpoint(const std::string& weights);

/// The JSON of --config. Throws UsageError.
Json parse_config(const std::string& config);

}  // namespace mend
