// What rungs on the GPU refuse for the GPU's sake.
#pragma once

#include <fmt/format.h>

#include <string>

#include "engine/cuda/cuda_device.h"

namespace mend {

/// Why nothing can run that needs cp.async or TF32, as Ampere has them: a GPU here that is older. Empty if there is none.
inline std::string refuses_before_ampere() {
  for (const GpuInfo& gpu : survey_gpus().gpus) {
    if (gpu.compute_capability >= kAmpere) continue;
    return fmt::format("needs compute capability 8.0, cuda:{} ({}) has {}.{}", gpu.index, gpu.name,
                       gpu.compute_capability / 10, gpu.compute_capability % 10);
  }
  return {};
}

}  // namespace mend
