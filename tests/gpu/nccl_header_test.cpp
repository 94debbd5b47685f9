// engine/cuda/nccl.h against NVIDIA's own header, where there is one: this file compiles only if they agree.
#if __has_include(<nccl.h>)
#include <nccl.h>

#include "engine/cuda/nccl.h"
#include "tests/gpu/same_call.h"

namespace mend::test {
namespace {

#define MEND_AGREES(name) \
  static_assert(SameCall<decltype(nccl::Functions::name), decltype(&nccl##name)>::value)
MEND_AGREES(GetVersion);
MEND_AGREES(GetErrorString);
MEND_AGREES(GetUniqueId);
MEND_AGREES(CommInitRank);
MEND_AGREES(CommGetAsyncError);
MEND_AGREES(CommDestroy);
MEND_AGREES(CommAbort);
MEND_AGREES(GroupStart);
MEND_AGREES(GroupEnd);
MEND_AGREES(AllReduce);
#undef MEND_AGREES

static_assert(int{nccl::kSuccess} == int{ncclSuccess});
static_assert(int{nccl::kInProgress} == int{ncclInProgress});
static_assert(int{nccl::kFloat} == int{ncclFloat32});
static_assert(int{nccl::kMean} == int{ncclAvg});
static_assert(sizeof(nccl::UniqueId) == sizeof(ncclUniqueId));

}  // namespace
}  // namespace mend::test
#endif
