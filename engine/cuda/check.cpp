#include "engine/cuda/check.h"

#include <fmt/format.h>

#include "engine/error.h"

namespace mend {

namespace {

/// The GPU that the calls of this thread mean.
std::string current_gpu() {
  int index = 0;
  return cudaGetDevice(&index) == cudaSuccess ? fmt::format("cuda:{}", index) : "the GPU";
}

}  // namespace

void cuda_check(cudaError_t status, std::string_view what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // it was told; an error that is not sticky must not show up in the next call
  if (status == cudaErrorMemoryAllocation) {
    throw OutOfMemory(
        fmt::format("{}: the memory of {} is full; use --memory to cap what a tile may take, or "
                    "--device cpu",
                    what, current_gpu()));
  }
  if (status >= cudaErrorStreamCaptureUnsupported && status <= cudaErrorStreamCaptureWrongThread) {
    throw NotRecordable(fmt::format("{} cannot be recorded: {} ({})", what,
                                    cudaGetErrorString(status), cudaGetErrorName(status)));
  }
  throw DeviceError(fmt::format("{} failed on {}: {} ({}); use --device cpu", what, current_gpu(),
                                cudaGetErrorString(status), cudaGetErrorName(status)));
}

}  // namespace mend
