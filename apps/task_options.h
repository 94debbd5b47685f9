// What a restoration task can be told, and whether a network suits it: for the commands of one task
// and for the steps of `mend restore`.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "models/network.h"
#include "restore/restore.h"

namespace mend {

struct TaskSettings {
  int scale = 0;     ///< 0: the network's own; 2 for networks that sharpen an enlarged picture
  float sigma = -1;  ///< of the noise, in grey levels; below 0: measured
  float strength = 1;
  std::string jpeg_quality = "blind";  ///< blind, file, or 1 to 100
};

/// The options --sigma and --jpeg-quality.
void add_sigma(CLI::App& command, TaskSettings& settings);
void add_jpeg_quality(CLI::App& command, TaskSettings& settings);

/// Throws UsageError, which names what it is made for, unless `model` is made for `task`.
void check_task(const std::string& task, const Model& model);

/// The options for restore(), all but the tiles. Throws UsageError if a setting does not suit the
/// network or makes no sense.
RestoreOptions restore_options(const TaskSettings& settings, const Model& model);

/// "10,20,300,40" -> four numbers, or as many as `count`; `option` is how errors call it.
/// Throws UsageError.
std::vector<int> parse_integers(const std::string& text, std::size_t count,
                                const std::string& option);

}  // namespace mend
