// The same work over many files: what upscale, denoise, ... and `run` share.
#pragma once

#include <functional>
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

/// What is done to each picture.
struct Work {
  std::string network;  ///< for reports
  /// `input` is how messages call the picture. `tiles` are the command's, with progress. Threads of several lanes
  /// of GPUs call it at the same time, each with devices of its own.
  std::function<Image(const std::string& input, const Image& image, const TileOptions& tiles,
                      RestoreReport& report)>
      run;
};

/// restore() by one network.
Work picture_work(const Model& model, const RestoreOptions& options);

/// Does the work on every input and writes its output; a failure is reported and the others go on. GPUs share the
/// inputs out, or the tiles of one input. A picture whose GPU fails is done once more on another one.
/// Returns kDone, the failure's own code if there was one input, else kSomeFailed.
/// Throws UsageError for the command line as a whole.
ExitCode restore_files(const Work& work, const FileOptions& files, const CommonOptions& common);

}  // namespace mend
