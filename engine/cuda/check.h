// The one way out of a call of the CUDA runtime that failed.
#pragma once

#include <cuda_runtime_api.h>

#include <string_view>

namespace mend {

/// Throws what `status` means: OutOfMemory, NotRecordable, or DeviceError, with `what` (the kernel, or the work),
/// the GPU that is current, and CUDA's own words. Nothing if all is well.
void cuda_check(cudaError_t status, std::string_view what);

}  // namespace mend
