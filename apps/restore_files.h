// One network over many files: what upscale, denoise, ... and `run` share.
#pragma once

#include <string>
#include <vector>

#include "apps/program.h"
#include "models/network.h"
#include "restore/image_file.h"
#include "restore/restore.h"

namespace mend {

struct FileOptions {
  std::vector<std::string> inputs;
  std::string output;
  WriteOptions write;

  void add_to(CLI::App& command);
};

/// Restores every input and writes its output; a failure is reported and the others go on.
/// Returns kDone, the failure's own code if there was one input, else kSomeFailed.
/// Throws Interrupted, and UsageError for the command line as a whole.
ExitCode restore_files(const Model& model, const FileOptions& files, const CommonOptions& common,
                       const RestoreOptions& options);

}  // namespace mend
