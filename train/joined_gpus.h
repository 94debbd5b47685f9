// The GPUs of several processes that train together, joined to average gradients between them.
#pragma once

#include <memory>
#include <string>

#include "engine/gpu_mean.h"
#include "train/replicas.h"

namespace mend {

struct JoinedGpus {
  std::unique_ptr<GpuMean> mean;  ///< on all ranks or on none
  /// If there is none, as this rank knows it; empty: there is nothing to join.
  std::string why_not;
};

/// Joins the devices of all replicas, if they are GPUs and there are several. Collective. Never throws: without it,
/// gradients go through the host's memory.
JoinedGpus join_gpus(Replicas& replicas, Device& device);

}  // namespace mend
