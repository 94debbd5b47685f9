// The GPUs of this machine: which there are, why none can be used, and each one as a Device.
//
// Always there: a build without CUDA, and one with CUDA on a machine without a driver, answer here too.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/device.h"

namespace mend {

/// A GPU that this build can use.
struct GpuInfo {
  int index = 0;  ///< CUDA's number: cuda:0
  std::string name;
  int compute_capability = 0;  ///< 90 is 9.0
  std::int64_t memory_bytes = 0;
  int multiprocessors = 0;
};

struct GpuSurvey {
  std::string runtime;  ///< CUDA version of this build, "13.0"; empty: built without CUDA
  std::string driver;   ///< newest CUDA version that the driver knows; empty: there is no driver
  std::vector<GpuInfo> gpus;
  std::string why_none;  ///< if there are no GPUs: the reason in a few words
};

/// Asks the driver once. Never fails: it says why there are none.
const GpuSurvey& survey_gpus();

/// Compute capability from which on the tensor-core kernels run: cp.async, ldmatrix, mma.m16n8k16.
constexpr int kAmpere = 80;

/// GPU `index`. Throws DeviceError that says why there is none.
/// `instance`: a GPU can be several Devices that share its memory and multiprocessors, each with streams, cached
/// memory and recordings of its own; the one after "cuda:0" has the name "cuda:0#2".
Device& gpu(int index, int instance = 0);

}  // namespace mend
