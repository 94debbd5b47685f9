// The steps of `mend restore`: "denoise:25,dejpeg,upscale:4" and the networks that do them.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "restore/chain.h"

namespace mend {

struct StepsOption {
  std::string steps;
  std::vector<std::string> weights;  ///< "task=CHECKPOINT", or one CHECKPOINT for a single step

  void add_to(CLI::App& command);
  /// The steps with their networks; a checkpoint is read once. Throws UsageError, CheckpointError.
  std::vector<ChainStep> load() const;
};

}  // namespace mend
