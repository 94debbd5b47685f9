// Several networks one after the other: denoise, then remove JPEG's blocks, then enlarge.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "restore/restore.h"

namespace mend {

struct ChainStep {
  std::string task;  ///< how messages call it
  Model model;
  RestoreOptions options;  ///< colorizing networks take `tiles` and `strength` of it
};

/// What the steps make of `image` in this order. Between them pictures are f32, neither rounded nor
/// clipped; the result has the image's bits. `progress` hears how much is done, of how much, with as
/// much for each step. `reports`, if given, gets one for each step.
/// Throws as restore and colorize do.
Image restore_in_steps(const std::vector<ChainStep>& steps, const Image& image,
                       const std::function<void(int done, int all)>& progress = {},
                       std::vector<RestoreReport>* reports = nullptr);

}  // namespace mend
