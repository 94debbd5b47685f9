#include "engine/cuda/check.h"

#include <fmt/format.h>

#include "engine/error.h"

namespace mend {

void cuda_check(cudaError_t status, std::string_view what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // it was told; an error that is not sticky must not show up in the next call
  if (status == cudaErrorMemoryAllocation) {
    throw OutOfMemory(
        fmt::format("{}: the GPU's memory is full; use --memory to cap what a tile "
                    "may take, or --device cpu",
                    what));
  }
  if (status >= cudaErrorStreamCaptureUnsupported && status <= cudaErrorStreamCaptureWrongThread) {
    throw NotRecordable(fmt::format("{} cannot be recorded: {} ({})", what,
                                    cudaGetErrorString(status), cudaGetErrorName(status)));
  }
  throw DeviceError(fmt::format("{} failed on the GPU: {} ({}); use --device cpu", what,
                                cudaGetErrorString(status), cudaGetErrorName(status)));
}

}  // namespace mend
