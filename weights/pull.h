// Fetching published checkpoints.
//
//   URL ─ CACHE/NAME/FILE.part, resumed where it stopped ─ size, SHA-256 ─ rename to CACHE/NAME/FILE
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "weights/catalogue.h"

namespace mend {

struct PullOptions {
  /// Where files are kept; empty means default_cache_folder().
  std::string cache_folder;
  /// No file may be larger.
  std::int64_t most_bytes = std::int64_t{8} << 30;
  /// Called now and then with the bytes of the file that are here, and all of them (0: not known).
  std::function<void(const std::string& file, std::int64_t done, std::int64_t total)> progress;
};

/// $XDG_CACHE_HOME/mend, else ~/.cache/mend.
std::string default_cache_folder();

/// Makes sure that all files of `checkpoint` are in the cache and as published; those that are there
/// already are only checked. Returns the path of the first, for read_checkpoint. http and https only.
/// Throws CheckpointError if a download fails or is not what was published, WriteError if the cache
/// cannot be written, Interrupted if cancel was requested (what came so far is kept).
std::string pull(const PublishedCheckpoint& checkpoint, const PullOptions& options = {});

/// The same for an entry of the catalogue; throws UsageError for other names.
std::string pull(const std::string& name, const PullOptions& options = {});

}  // namespace mend
