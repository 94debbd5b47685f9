// One download into an open file.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace mend {

struct Download {
  std::string url;
  int descriptor = -1;          ///< an open file, positioned behind the first `begin` bytes
  std::int64_t begin = 0;       ///< bytes that are there already
  std::int64_t most_bytes = 0;  ///< of the whole file
  std::function<void(std::int64_t done, std::int64_t total)> progress;
};

enum class Fetched {
  kAll,       ///< the file is complete
  kNoResume,  ///< the server cannot go on in the middle: start again from byte 0
};

/// Why nothing can be downloaded here (there is no libcurl), empty where it can.
std::string cannot_fetch();

/// Appends the rest of the file. Throws CheckpointError, WriteError or Interrupted.
Fetched fetch(const Download& download);

}  // namespace mend
