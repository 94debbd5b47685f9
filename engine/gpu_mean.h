// Means over the GPUs of several processes, made between the GPUs: by NVIDIA's NCCL, where it is installed.
//
// Always there, like engine/gpu.h: a build without CUDA, and a machine without NCCL, say why there is none.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>

#include "engine/op.h"

namespace mend {

class GpuMean {
 public:
  /// What those have in common who average together: one makes it, and all join by it.
  using Id = std::array<char, 128>;

  GpuMean() = default;
  GpuMean(const GpuMean&) = delete;
  GpuMean& operator=(const GpuMean&) = delete;
  virtual ~GpuMean() = default;

  /// Each tensor becomes its mean over all ranks, with the same bits on each; undefined ones are left out. f32, dense, on
  /// the GPU, of the same shapes on all ranks. Returns at once: it happens in the GPU's stream, in the order of
  /// its work. Collective. Throws DeviceError, also if something before it went wrong on another rank's GPU.
  virtual void average(const Tensors& tensors) = 0;
};

/// Why GPUs of several processes cannot average between them; empty: they can.
std::string gpu_mean_problem();
/// Throws DeviceError.
GpuMean::Id make_gpu_mean_id();
/// Joins those of this Id as one of `size` ranks, with a GPU that is no other rank's. Collective: waits until all have
/// joined. Throws DeviceError.
std::unique_ptr<GpuMean> join_gpu_mean(const GpuMean::Id& id, int rank, int size, Device& device);

}  // namespace mend
