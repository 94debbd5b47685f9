// What launches of CUDA kernels ask on the host.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/cuda/check.h"

namespace mend {

constexpr int divide_up(int a, int b) { return (a + b - 1) / b; }

/// Bytes that a block may have of a multiprocessor's shared memory, on the GPU that is current. `kernel`: what
/// an error names.
inline int most_shared_bytes(const char* kernel) {
  int gpu = 0, bytes = 0;
  cuda_check(cudaGetDevice(&gpu), kernel);
  cuda_check(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, gpu), kernel);
  return bytes;
}

}  // namespace mend
