// NVIDIA's NCCL 2, where it is installed: sums over the GPUs of several processes. The program is built and starts
// without it; MEND_NCCL=/path/to/libnccl.so.2 names another one than the system's loader finds.
//
// The declarations are those of its C interface, as much as we call (NCCL API reference);
// tests/gpu/nccl_header_test.cpp compares them with nccl.h, where there is one.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>

namespace mend {

namespace nccl {

enum Result : int { kSuccess = 0, kInProgress = 7 };
enum DataType : int { kFloat = 7 };
enum Reduction : int { kMean = 4 };  ///< since 2.10

struct UniqueId {
  char bytes[128];
};
using Communicator = struct CommunicatorTag*;

/// Its functions, by their names without "nccl".
struct Functions {
  Result (*GetVersion)(int*);
  const char* (*GetErrorString)(Result);
  Result (*GetUniqueId)(UniqueId*);
  Result (*CommInitRank)(Communicator*, int ranks, UniqueId, int rank);
  Result (*CommGetAsyncError)(Communicator, Result*);
  Result (*CommDestroy)(Communicator);
  Result (*CommAbort)(Communicator);
  Result (*GroupStart)();
  Result (*GroupEnd)();
  Result (*AllReduce)(const void* from, void* to, std::size_t count, DataType, Reduction,
                      Communicator, cudaStream_t);
};

}  // namespace nccl

/// Loads NCCL at the first call. Throws DeviceError that says what is missing and where it was looked for.
const nccl::Functions& load_nccl();
/// Throws DeviceError with `call`, the GPU that is current and NCCL's own words if `result` is an error.
void nccl_check(nccl::Result result, const char* call);

}  // namespace mend
